# One image for every process; docker-compose.yml says which one it runs.
FROM python:3.11-slim AS build
WORKDIR /build
RUN python -m venv /opt/venv
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY alertsite alertsite
COPY rules rules
COPY ml ml
COPY healing healing
COPY cloud cloud
# The libraries only: the code is copied as it is, with the templates and data beside it.
RUN /opt/venv/bin/pip install --no-cache-dir --constraint constraints.txt . \
    && /opt/venv/bin/pip uninstall --yes alertsite

FROM python:3.11-slim
RUN useradd --system --no-create-home --uid 10001 alertsite
COPY --from=build /opt/venv /opt/venv
WORKDIR /app
COPY manage.py ./
COPY alertsite alertsite
COPY rules rules
COPY ml ml
COPY healing healing
COPY cloud cloud
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    NUMBA_CACHE_DIR=/var/cache/numba
# The user may write there: a kernel that is not compiled yet is kept too.
RUN python -c "import rules.series.backends.redis_hot, rules.series.ingest.remote_write" \
    && python -m rules.language.warmup \
    && chown -R alertsite /var/cache/numba
USER alertsite
CMD ["python", "-m", "uvicorn", "alertsite.asgi:application", "--host", "0.0.0.0", "--port", "8000", "--no-access-log"]
