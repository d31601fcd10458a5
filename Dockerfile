# One image for every process: the environment of requirements/image.txt, Java, and the checkout. With
# --build-arg REQUIREMENTS=dev it holds what ./run-tests.sh needs: compose.test.yml builds that one.
FROM python:3.11.13-slim-bookworm

# Debian keeps the newest build of a package alone: a version pinned here would be gone with the next fix of Java's
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends openjdk-17-jre-headless curl util-linux \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --create-home --uid 10001 candlelake \
    && install --directory --owner candlelake --group candlelake /lake /keys /candlelake

USER 10001:10001
WORKDIR /candlelake
# what changes seldom comes first: a changed line of code installs nothing anew
COPY --chown=10001:10001 pyproject.toml ./
COPY --chown=10001:10001 requirements ./requirements
COPY --chown=10001:10001 conf ./conf
COPY --chown=10001:10001 deploy/front-door.sh deploy/fetch_jars.py deploy/resolved.py ./deploy/
ARG REQUIREMENTS=image
ENV CANDLELAKE_REQUIREMENTS=$REQUIREMENTS TZ=UTC
RUN bash -c 'source deploy/front-door.sh; make_environment "$CANDLELAKE_REQUIREMENTS"; for jars in jars jars-s3 jars-kafka; do fetch_jars "$jars"; done'
COPY --chown=10001:10001 . .
ENV PATH=/candlelake/.venv/bin:$PATH PYTHONPATH=/candlelake PYTHONUNBUFFERED=1
CMD ["candlelake", "--help"]
