#!/usr/bin/env bash
# ./run-tests.sh [--all] [--coverage] [pytest options]: makes the environment, then lint, types and the tests.
# Without --all the rooms, files and tests below are left out: they make whole lakes, or need servers that are fetched or built first.
# --coverage prints, behind the tests, which lines of ours they ran, by module; what runs in processes of its own is not seen.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/deploy/front-door.sh"
cd "$here"
check_java
make_environment dev
fetch_jars jars
export PATH="$venv/bin:$PATH" PYTHONPATH="$here" TZ=UTC SPARK_LOCAL_IP=127.0.0.1 PYSPARK_PYTHON="$venv/bin/python"
ruff format --check --quiet .
ruff check --quiet .
mypy
everything=no coverage=()
while [ $# -gt 0 ]; do
    case "$1" in
        --all) everything=yes; shift ;;
        --coverage)
            put_packages "$here/requirements/coverage.txt" "$here/.tools/coverage"
            export PYTHONPATH="$here:$here/.tools/coverage"
            coverage=(--cov=lake --cov=extract --cov=transform --cov=expectations --cov=jobs --cov=serve --cov-report=term:skip-covered)
            shift ;;
        *) break ;;
    esac
done
if [ "$everything" = yes ]; then
    fetch_jars jars-kafka
else
    longest=(tests/jobs/test_front_to_back.py tests/jobs/test_information_job.py tests/jobs/test_kinds.py tests/jobs/test_known_then.py tests/jobs/test_live_to_silver.py tests/jobs/test_other_exchanges.py tests/jobs/test_daily_check.py tests/jobs/test_repair.py tests/jobs/test_republished.py tests/jobs/test_second_chances.py tests/jobs/test_skipped_numbers.py tests/jobs/test_soak.py tests/jobs/test_two_sources.py tests/docs/test_documented_runs.py)
    longest+=(tests/queues/test_killed_and_limited.py tests/queues/test_sqs.py tests/queues/test_lambda.py tests/kafka tests/s3 tests/notebooks tests/browser)
    longest+=(tests/jobs/test_reconciliation_kept.py tests/jobs/test_reconciled_blocks.py tests/front_door/test_reconcile_and_repair.py tests/jobs/test_streamed_charts.py)
    longest+=(tests/front_door/test_up.py tests/serve_grafana tests/serve_database/test_publish.py tests/serve_database/test_publish_more.py)
    longest+=(tests/serve_database/test_faults_of_databases.py tests/serve_files/test_readers.py tests/serve_files/test_ddl.py tests/serve_files/test_export_from_s3.py)
    longest+=(tests/airflow tests/aws tests/cluster tests/containers tests/package/test_job_from_artefact.py tests/package/test_packed_environment.py tests/package/test_pipeline_from_artefact.py tests/package/test_works_of_aws.py tests/front_door/test_planted_secrets.py)
    longest+=(tests/jobs/test_backup.py tests/jobs/test_maintain.py tests/jobs/test_maintenance_feeds.py tests/lake/test_giving_way.py)
    longest+=(tests/serve_database/test_killed_publish_command.py tests/serve_files/test_serve_sql.py tests/serve_files/test_serve_sql_process.py tests/serve_files/test_filled_files.py)
    longest+=(tests/serve_api/test_api_document.py tests/serve_api/test_attacks.py tests/serve_api/test_server_process.py tests/serve_api/test_serve_command.py)
    alone=(tests/jobs/test_levels.py::test_a_lake_is_counted tests/jobs/test_soak_plan.py::test_the_storage_is_slow_and_frozen_and_away_and_well_again)
    alone+=(tests/serve_database/test_changed_stretches.py::test_stretches_before_what_is_new_are_left_as_they_are)
    set -- "${longest[@]/#/--ignore=}" "${alone[@]/#/--deselect=}" "$@"
fi
# a JVM plans on one core: two processes, each with a session of its own, take two thirds of the time of one
exec python -m pytest --numprocesses 2 --dist loadfile ${coverage[@]+"${coverage[@]}"} "$@"
