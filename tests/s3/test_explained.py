"""What S3A says of a fault, word for word as Spark 4.1.1 passed it on, becomes one clear line."""

from __future__ import annotations

import pytest

from lake.s3 import explained

BAD_SECRET = """An error occurred while calling o94.text.
: java.nio.file.AccessDeniedException: s3a://lake/t1/_delta_log: listObjects() on \
s3a://lake/t1/_delta_log: software.amazon.awssdk.services.s3.model.S3Exception: The request \
signature we calculated does not match the signature you provided. Check your key and signing \
method. (Service: S3, Status Code: 403, Request ID: QN1GK4X9IFF0AKWY, Extended Request ID: \
7d/0+xbuKu8=):SignatureDoesNotMatch
\tat org.apache.hadoop.fs.s3a.S3AUtils.translateException(S3AUtils.java:270)"""
BAD_KEY = """An error occurred while calling o87.save.
: java.nio.file.AccessDeniedException: s3a://lake/t1/_delta_log: listObjects() on \
s3a://lake/t1/_delta_log: software.amazon.awssdk.services.s3.model.S3Exception: The AWS Access Key \
Id you provided does not exist in our records. (Service: S3, Status Code: 403, Request ID: \
QSQ7ZTVDLW78HGA9, Extended Request ID: EkihGb=):InvalidAccessKeyId
\tat org.apache.hadoop.fs.s3a.S3AUtils.translateException(S3AUtils.java:270)"""
# the answer to a HEAD has no body, so S3A can't tell a bad key from a bad secret
FORBIDDEN = """An error occurred while calling z:io.delta.tables.DeltaTable.isDeltaTable.
: java.nio.file.AccessDeniedException: s3a://lake/t1/_delta_log: getFileStatus on \
s3a://lake/t1/_delta_log: software.amazon.awssdk.services.s3.model.S3Exception: Forbidden \
(Service: S3, Status Code: 403, Request ID: 5JMFSU8SBJGB8KNA, Extended Request ID: /mCNSd1=):null
\tat org.apache.hadoop.fs.s3a.S3AUtils.translateException(S3AUtils.java:270)"""
NO_CREDENTIALS = """An error occurred while calling o79.load.
: java.nio.file.AccessDeniedException: s3a://lake/t1/_delta_log: \
org.apache.hadoop.fs.s3a.auth.NoAuthWithAWSException: No AWS Credentials provided by \
DefaultCredentialsProvider : software.amazon.awssdk.core.exception.SdkClientException: Unable to \
load credentials from any of the providers in the chain AwsCredentialsProviderChain(\
credentialsProviders=[SystemPropertyCredentialsProvider(), InstanceProfileCredentialsProvider()])
\tat org.apache.hadoop.fs.s3a.auth.CredentialProviderListFactory.create(X.java:1)"""
NO_BUCKET = """An error occurred while calling o135.save.
: org.apache.hadoop.fs.s3a.UnknownStoreException: `s3a://nobucket/x/_delta_log': listObjects() on \
s3a://nobucket/x/_delta_log: software.amazon.awssdk.services.s3.model.NoSuchBucketException: The \
specified bucket does not exist. (Service: S3, Status Code: 404, Request ID: MVGTIZV2WEM823P5, \
Extended Request ID: EGk0J5q=):NoSuchBucket: The specified bucket does not exist.
\tat org.apache.hadoop.fs.s3a.S3AUtils.translateException(S3AUtils.java:278)"""
REFUSED = """An error occurred while calling o82.load.
: java.net.ConnectException: getFileStatus on s3a://lake/t1/_delta_log: \
software.amazon.awssdk.core.exception.SdkClientException: Unable to execute HTTP request: Connect \
to 127.0.0.1:17999 [/127.0.0.1] failed: Connection refused: Connection refused
\tat java.base/jdk.internal.reflect.NativeConstructorAccessorImpl.newInstance0(Native Method)"""
HUNG = """An error occurred while calling o100.save.
: org.apache.hadoop.fs.s3a.AWSApiCallTimeoutException: listObjects() on s3a://lake/t1/_delta_log: \
software.amazon.awssdk.core.exception.ApiCallTimeoutException: Client execution did not complete \
before the specified timeout configuration: 15000 millis
\tat org.apache.hadoop.fs.s3a.S3AUtils.translateException(S3AUtils.java:227)"""
#: Not a fault of the store, though the SDK's own frames speak of time-outs.
TABLE_FAULT = """An error occurred while calling o50.load.
: org.apache.spark.sql.delta.DeltaAnalysisException: [DELTA_TABLE_NOT_FOUND] Delta table \
s3a://lake/t1 doesn't exist.
\tat software.amazon.awssdk.core.internal.http.pipeline.stages.ApiCallTimeoutTrackingStage.\
execute(ApiCallTimeoutTrackingStage.java:62)
\tat java.net.ConnectException.fake(ConnectException.java:1)"""


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (
            BAD_SECRET,
            (
                "the secret does not belong to the access key [silver.trades]."
                " Correct AWS_SECRET_ACCESS_KEY, or the profile in use."
            ),
        ),
        (
            BAD_KEY,
            (
                "S3 does not know the access key [silver.trades]."
                " Correct AWS_ACCESS_KEY_ID, or the profile or role in use."
            ),
        ),
        (
            FORBIDDEN,
            (
                "S3 refused the access [silver.trades]."
                " Check the access key, its secret and its rights on the bucket."
            ),
        ),
        (
            NO_CREDENTIALS,
            (
                "no AWS credentials were found [silver.trades]."
                " Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or a profile or role."
            ),
        ),
        (
            NO_BUCKET,
            "the bucket does not exist [silver.trades]. Create it first, or correct lake.root.",
        ),
        (
            REFUSED,
            (
                "the connection to S3 was lost or never made [silver.trades]."
                " Check AWS_ENDPOINT_URL and the network, then run again:"
                " it goes on where it stopped."
            ),
        ),
        (
            HUNG,
            (
                "the connection to S3 was lost or never made [silver.trades]."
                " Check AWS_ENDPOINT_URL and the network, then run again:"
                " it goes on where it stopped."
            ),
        ),
    ],
)
def test_a_fault_of_the_store_is_told_in_one_line(text: str, line: str) -> None:
    assert str(explained(text, "silver.trades")) == line


@pytest.mark.parametrize(
    "text",
    [
        TABLE_FAULT,
        "java.net.ConnectException: Connection refused: kafka:9092",
        "java.nio.file.AccessDeniedException: /data/lake/_delta_log",
        "",
    ],
)
def test_other_errors_are_left_as_they_are(text: str) -> None:
    assert explained(text, "silver.trades") is None
