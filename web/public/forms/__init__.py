"""Sign-up forms for everybody: /f/<slug>, its script for other sites, and the page that confirms a submission."""
