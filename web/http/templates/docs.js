window.ui = SwaggerUIBundle({
  url: {{ url_for('docs.description') | tojson }},
  dom_id: "#swagger-ui",
  deepLinking: true,
  validatorUrl: null,
});
