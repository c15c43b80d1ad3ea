# docker build -t rem . && mkdir -p results
# docker run --rm --user "$(id -u):$(id -g)" -v "$PWD/results:/rem/results" rem
FROM python:3.11-slim-bookworm
RUN apt-get update && apt-get install --yes --no-install-recommends git make && rm -rf /var/lib/apt/lists/*
WORKDIR /rem
COPY requirements.lock pyproject.toml Makefile ./
COPY rem rem
COPY snakemake_logger_plugin_rem snakemake_logger_plugin_rem
RUN make environment
COPY . .
# For any user, known in here or not: a home to write to, a name, a repository that git trusts, and folders to work in.
ENV HOME=/tmp USER=rem
RUN git config --system --add safe.directory /rem \
    && mkdir -p results \
    && find . -path ./.venv -prune -o -exec chmod a+rX {} + \
    && chmod a+w . data results
CMD ["make", "reproduce"]
