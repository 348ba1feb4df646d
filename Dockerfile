# An image for clusters: Ray with tune-reg. Build the wheel first: python -m build --wheel
# Ray and Python must be of the versions that study and cluster have; a GPU cluster takes a "-gpu" tag of Ray's image.
ARG RAY=2.60.0-py311
FROM rayproject/ray:${RAY}

# What `--out s3://...` needs is in it; for gs:// build with --build-arg EXTRAS=gcs
ARG EXTRAS=s3
COPY dist/tune_reg-*.whl constraints.txt /tmp/tune-reg/
RUN wheel="$(ls /tmp/tune-reg/tune_reg-*.whl)" \
    && pip install --no-cache-dir --constraint /tmp/tune-reg/constraints.txt "${wheel}[${EXTRAS}]"
