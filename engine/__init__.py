"""The product; knows neither Flask nor Celery."""
