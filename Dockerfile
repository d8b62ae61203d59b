# The archive in an image: every role is `pacs serve ROLE`; without one, all of them run.
#   docker build -t hilum .
FROM python:3.12-slim-bookworm AS build
WORKDIR /build
RUN python -m venv /opt/hilum
# The pinned packages by themselves: they change less often than the archive.
COPY constraints.txt ./
RUN /opt/hilum/bin/pip install --no-cache-dir --disable-pip-version-check --require-hashes -r constraints.txt
COPY . .
RUN /opt/hilum/bin/pip install --no-cache-dir --disable-pip-version-check --no-deps --no-build-isolation .

# OHIF as scripts/npm_packages.json pins it: npm brings it, viewer.py believes it for its digest, and nothing of
# it is run. `--build-arg VIEWER=none` leaves it out; the built-in viewer is always there.
FROM node:22-bookworm-slim AS npm
ARG VIEWER=ohif
WORKDIR /npm
COPY scripts/npm_packages.json ./
RUN if [ "$VIEWER" != none ]; then \
      npm pack --ignore-scripts "@ohif/app@$(node -p "require('./npm_packages.json')['@ohif/app'].version")"; \
    fi

FROM build AS viewer
ARG VIEWER=ohif
COPY --from=npm /npm /viewer/npm
RUN mkdir /viewer/ohif \
    && if [ "$VIEWER" != none ]; then /opt/hilum/bin/python scripts/viewer.py /viewer/ohif; fi

FROM python:3.12-slim-bookworm
RUN useradd --uid 10001 --no-create-home --home-dir /srv/hilum --shell /usr/sbin/nologin hilum \
    && install -d -m 0750 -o hilum -g hilum /srv/hilum
COPY --from=build /opt/hilum /opt/hilum
COPY --from=viewer /viewer/ohif /opt/viewer
COPY --chmod=0755 scripts/healthy.py /opt/hilum/healthy.py
ENV PATH=/opt/hilum/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PACS_DATA=/srv/hilum \
    PACS_WEB_VIEWER=/opt/viewer
USER hilum
WORKDIR /srv/hilum
VOLUME /srv/hilum
EXPOSE 8080 11112
HEALTHCHECK --interval=15s --timeout=10s --start-period=60s --retries=3 CMD ["python", "/opt/hilum/healthy.py"]
ENTRYPOINT ["pacs"]
CMD ["serve"]
