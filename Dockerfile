# One image for all processes of Cadencia; docker-compose.yml sets the command of each container.

FROM python:3.13-slim AS packages
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
COPY requirements.txt .
RUN python -m venv /opt/venv && /opt/venv/bin/pip install --only-binary=:all: -r requirements.txt

FROM python:3.13-slim
ENV PATH=/opt/venv/bin:/srv/cadencia:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    RECORDER_DIR=/var/lib/cadencia/recorders \
    SPOOL_DIR=/var/lib/cadencia/spool \
    LOG_FILE=/var/log/cadencia/email_system.log

# A new named volume gets the owner of the folder it is mounted on, so the folders are created here.
RUN useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin cadencia \
    && install -d -o cadencia -g cadencia /var/lib/cadencia/recorders /var/lib/cadencia/spool \
        /var/lib/cadencia/inbox /var/log/cadencia

COPY --from=packages /opt/venv /opt/venv
WORKDIR /srv/cadencia
COPY settings.py setting_types.py errors.py celery_config.py cadencia ./
COPY cli cli
COPY models models
COPY engine engine
COPY web web
COPY worker worker
COPY local local
COPY email_templates email_templates
RUN ln -s /opt/venv .venv && python -m compileall -q .

USER 10001:10001
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s \
    CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8000/healthz', timeout=4)"]
# --blocking-threads is WEB_THREADS (the views that run at once) and 48 that receive bodies of public routes.
CMD ["sh", "-c", "exec granian --interface wsgi --factory --host 0.0.0.0 --port 8000 --workers 2 --blocking-threads $((${WEB_THREADS:-16}+48)) --respawn-failed-workers --workers-kill-timeout 35 --no-ws --http 1 --http1-header-read-timeout 5000 --backlog 4096 --backpressure 8192 web:create_app"]
