# docker build -t rem . && docker run --rm -v "$PWD/results:/rem/results" rem
FROM python:3.11-slim-bookworm
RUN apt-get update && apt-get install --yes --no-install-recommends git make && rm -rf /var/lib/apt/lists/*
WORKDIR /rem
COPY requirements.lock pyproject.toml Makefile ./
COPY rem rem
COPY snakemake_logger_plugin_rem snakemake_logger_plugin_rem
RUN make environment
COPY . .
CMD ["make", "reproduce"]
