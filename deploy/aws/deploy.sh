#!/usr/bin/env bash
# Candlelake on AWS, region by region, with the aws command and its credentials; AWS_REGION says where.
#   deploy/aws/deploy.sh artifacts                  the bucket for packages and the repository of the image
#   deploy/aws/deploy.sh upload                     what deploy/package.sh made, into that bucket; prints its folder
#   deploy/aws/deploy.sh main|second NAME=VALUE...  the stack of the first or of the second region, with its parameters
#   deploy/aws/deploy.sh remove main|second         the stack; buckets stay, with all that is in them
# CANDLELAKE_STACK names the stacks and buckets, candlelake by default.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/../front-door.sh"
name="${CANDLELAKE_STACK:-candlelake}"
region="${AWS_REGION:-${AWS_DEFAULT_REGION:-}}"

usage() { sed -n '3,7s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2; exit 2; }

bucket() { echo "$name-artifacts-$(aws sts get-caller-identity --query Account --output text)-$region"; }

# stack NAME FILE [PARAMETER...]: makes or changes a stack, and prints what it says of itself.
stack() {
    local stack="$1" file="$2"
    shift 2
    aws cloudformation deploy --stack-name "$stack" --template-file "$file" --no-fail-on-empty-changeset \
        --capabilities CAPABILITY_IAM CAPABILITY_NAMED_IAM --parameter-overrides "Name=$name" "$@" >&2
    aws cloudformation describe-stacks --stack-name "$stack" --output text \
        --query 'Stacks[0].Outputs[].[OutputKey,OutputValue]'
}

root() {
    local which="$1" packaged
    shift
    packaged="$(mktemp -d)"
    # the name is expanded now: the variable is gone when the shell ends
    trap "rm -rf '$packaged'" EXIT
    aws cloudformation package --template-file "$here/deploy/aws/$which.yaml" --s3-bucket "$(bucket)" \
        --s3-prefix templates --output-template-file "$packaged/$which.yaml" >&2
    [ "$which" = second ] || set -- "ArtifactBucket=$(bucket)" "$@"
    stack "$name-$which" "$packaged/$which.yaml" "$@"
}

# what the templates name in the package's folder
parts=(run_job.py candlelake.zip environment.tar.gz functions.zip spark-hadoop-cloud-4.0.jar spark-hadoop-cloud-4.1.jar candlelake-log-store.jar)

upload() {
    local package version part
    package="$here/build/package"
    [ -f "$package/VERSION" ] || fail "there is no package; make one with deploy/package.sh."
    version="$(cat "$package/VERSION")"
    case "$version" in *-changed) fail "files differ from the last commit: commit them and pack again, so that a version names one content." ;; esac
    for part in "${parts[@]}"; do
        [ -f "$package/$part" ] || fail "the package has no $part; make it whole with deploy/package.sh --all."
    done
    aws s3 cp --recursive --no-progress "$package" "s3://$(bucket)/candlelake-$version" >&2
    echo "candlelake-$version"
}

[ $# -ge 1 ] || usage
command -v aws >/dev/null 2>&1 || fail "the aws command is needed and was not found."
[ -n "$region" ] || fail "say where with AWS_REGION, such as us-east-1."
export AWS_REGION="$region" AWS_DEFAULT_REGION="$region"
case "$1" in
    artifacts) stack "$name-artifacts" "$here/deploy/aws/artifacts.yaml" ;;
    upload) upload ;;
    main|second) root "$@" ;;
    remove) [ $# -eq 2 ] || usage; aws cloudformation delete-stack --stack-name "$name-$2" ;;
    *) usage ;;
esac
