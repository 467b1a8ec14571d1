"""Parts of HTTP that every route shares: access, tokens, bodies, errors, headers, limits, health."""
