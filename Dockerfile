# An Airflow image with this provider in it.  Any Airflow 3.3 image will do as the base:
#   docker build --build-arg AIRFLOW_IMAGE=apache/airflow:3.3.2-python3.12 -t airflow-mlpipe .
ARG AIRFLOW_IMAGE=apache/airflow:3.3.2

FROM ${AIRFLOW_IMAGE} AS wheel
WORKDIR /tmp/src
COPY pyproject.toml README.md LICENSE ./
COPY airflow_mlpipe airflow_mlpipe
RUN python -m pip wheel --no-cache-dir --no-deps --wheel-dir /tmp/wheel .

FROM ${AIRFLOW_IMAGE}
ARG EXTRAS=s3,fast,environments
COPY --from=wheel /tmp/wheel /tmp/wheel
# Naming the Airflow that is there keeps pip from replacing it; compiling saves every process its start-up.
RUN airflow_version="$(python -c 'import importlib.metadata as m; print(m.version("apache-airflow"))')" \
 && wheel="$(ls /tmp/wheel/*.whl)" \
 && PYTHONDONTWRITEBYTECODE= python -m pip install --no-cache-dir --compile \
      "apache-airflow==${airflow_version}" "${wheel}[${EXTRAS}]"
