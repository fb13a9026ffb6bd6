# The image in which Kubeflow Pipelines and Vertex AI run the stages:
#   docker build --tag registry.example.com/stargan-tf:latest .
# GPU=1 brings the CUDA libraries of the GPU stages (3 GB); the driver is the machine's.
FROM python:3.12-slim-trixie

ARG GPU=1
# Bytecode now, and not in every process that starts.
ENV PYTHONUNBUFFERED=1 TF_CPP_MIN_LOG_LEVEL=2 UV_COMPILE_BYTECODE=1

WORKDIR /opt/stargan-tf
RUN pip install --no-cache-dir 'uv>=0.9,<1'
# First what changes rarely.
COPY requirements.lock tfx.lock ./
RUN uv pip install --system --no-cache --requirement requirements.lock \
 && uv pip install --system --no-cache --override requirements.lock \
      --constraint tfx.lock 'tfx==1.21.0' 'kfp>=2.16,<3' \
 && uv pip install --system --no-cache --constraint requirements.lock 'apache-beam[gcp]' 'gcsfs>=2024.6' 's3fs>=2024.6' \
 && if [ "$GPU" = 1 ]; then uv pip install --system --no-cache --constraint requirements.lock 'tensorflow[and-cuda]'; fi
COPY setup.py pyproject.toml README.md LICENSE ./
COPY stargan_tf stargan_tf
COPY data_prep data_prep
COPY pipeline pipeline
RUN uv pip install --system --no-cache --no-deps --editable .
