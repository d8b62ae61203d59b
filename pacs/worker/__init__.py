"""The worker role. Celery is imported here and nowhere else, and only when a broker is configured."""
