# One image for every process: the environment of requirements/dev.txt's runtime part, Java, and the checkout.
FROM python:3.11.13-slim-bookworm

RUN apt-get update \
    && apt-get install --yes --no-install-recommends openjdk-17-jre-headless curl util-linux \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --create-home --uid 10001 candlelake \
    && install --directory --owner candlelake --group candlelake /lake /keys /candlelake

USER candlelake
WORKDIR /candlelake
# what changes seldom comes first: a changed line of code installs nothing anew
COPY --chown=candlelake pyproject.toml ./
COPY --chown=candlelake requirements ./requirements
COPY --chown=candlelake conf ./conf
COPY --chown=candlelake deploy/front-door.sh deploy/fetch_jars.py deploy/resolved.py ./deploy/
ENV CANDLELAKE_REQUIREMENTS=image TZ=UTC
RUN bash -c 'source deploy/front-door.sh; make_environment image; fetch_jars jars; fetch_jars jars-s3'
COPY --chown=candlelake . .
ENV PATH=/candlelake/.venv/bin:$PATH PYTHONPATH=/candlelake PYTHONUNBUFFERED=1
CMD ["candlelake", "--help"]
