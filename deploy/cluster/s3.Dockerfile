# The S3 server of deploy/services/versitygw.sh, built from the same version of its source.
FROM golang:1.26.8-bookworm AS build
RUN GOFLAGS=-trimpath go install github.com/versity/versitygw/cmd/versitygw@v1.8.0

FROM python:3.11.13-slim-bookworm
COPY --from=build /go/bin/versitygw /usr/local/bin/versitygw
# a new volume takes the owner of the folder that it is mounted on
RUN install --directory --owner 10001 --group 10001 /s3 /s3/data /s3/iam /s3/versions
USER 10001:10001
ENTRYPOINT ["versitygw"]
