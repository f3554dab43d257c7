"""Functions run as real processes: environment, reuse, failures, concurrency, logs."""

import base64
import json
import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor

from conftest import install_function, wait_for


def processes(cloud, function: str) -> list[dict]:
    return cloud.control("GET", f"functions/fake-{function}/processes")


def test_environment_is_that_of_lambda_and_of_the_template(invoke, functions, cloud, stack):
    _, answer = invoke("curate", {})
    environment = answer["environment"]
    folder = str((functions / "curate").resolve())
    assert answer["cwd"] == environment["LAMBDA_TASK_ROOT"] == folder
    assert environment["AWS_LAMBDA_FUNCTION_NAME"] == "fake-curate"
    assert environment["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"] == "2048"
    assert environment["AWS_LAMBDA_LOG_LEVEL"] == "INFO"
    assert environment["AWS_ENDPOINT_URL"] == cloud.endpoint
    assert environment["CURATED_BUCKET"] == stack["CuratedBucketName"]


def test_nothing_of_the_callers_account_reaches_a_function(invoke):
    _, answer = invoke("curate", {})
    foreign = [name for name in answer["environment"] if name in ("AWS_PROFILE", "AWS_SESSION_TOKEN")]
    assert not foreign
    assert answer["environment"]["AWS_ACCESS_KEY_ID"].startswith("ASIA")  # the process's own key (calls.py)


def test_a_process_is_used_again(invoke):
    _, first = invoke("curate", {})
    _, second = invoke("curate", {})
    assert second["pid"] == first["pid"]
    assert second["invocations"] == first["invocations"] + 1


def test_concurrent_invocations_have_a_process_each(invoke, cloud):
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: invoke("catalog", {"sleep": 0.5})[1], range(4)))
    assert len({answer["pid"] for answer in answers}) == 4
    assert len(processes(cloud, "catalog")) >= 4


def test_busy_processes_are_told_apart(invoke, cloud):
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(invoke, "catalog", {"sleep": 1})
        wait_for(lambda: any(p["busy"] for p in processes(cloud, "catalog")), "a busy process")
        running.result()
    assert not any(p["busy"] for p in processes(cloud, "catalog"))


def test_an_error_keeps_its_type(invoke):
    error, body = invoke("extract", {"error": "Throttled"})
    assert error == "Throttled"
    assert body["errorMessage"] == "as told"


def test_a_process_that_leaves_is_an_exit_error(invoke):
    error, body = invoke("extract", {"exit": 3})
    assert error == "Runtime.ExitError"
    assert "exit status 3" in body["errorMessage"]
    assert invoke("extract", {})[0] is None


def test_a_process_that_is_killed_is_an_exit_error(invoke):
    error, body = invoke("extract", {"kill": True})
    assert error == "Runtime.ExitError"
    assert body["errorMessage"].endswith("Error: Runtime exited with error: signal: killed")


def test_an_idle_process_that_was_killed_is_replaced(invoke, cloud):
    _, before = invoke("curate", {})
    os.kill(before["pid"], signal.SIGKILL)
    wait_for(lambda: before["pid"] not in [p["pid"] for p in processes(cloud, "curate")], "its end")
    error, after = invoke("curate", {})
    assert error is None
    assert after["pid"] != before["pid"]


def test_a_timeout_ends_the_process(invoke, cloud, stack):
    cloud.functions.update_function_configuration(FunctionName="fake-extract", Timeout=1)
    try:
        started = time.monotonic()
        error, body = invoke("extract", {"sleep": 30})
        assert error == "Sandbox.Timedout"
        assert "timed out after 1.00 seconds" in body["errorMessage"]
        assert time.monotonic() - started < 10
        assert not any(p["busy"] for p in processes(cloud, "extract"))
    finally:
        cloud.functions.update_function_configuration(FunctionName="fake-extract", Timeout=600)


def test_a_rebuilt_function_is_started_afresh(invoke, functions):
    _, before = invoke("curate", {})
    (functions / "curate" / "meta_data").mkdir(exist_ok=True)
    (functions / "curate" / "meta_data" / "new.json").write_text("{}")
    _, after = invoke("curate", {})
    assert after["pid"] != before["pid"]


def test_a_function_that_cannot_start_says_so(invoke, functions):
    bootstrap = functions / "catalog" / "bootstrap"
    bootstrap.rename(bootstrap.with_name("away"))
    try:
        error, body = invoke("catalog", {})
    finally:
        bootstrap.with_name("away").rename(bootstrap)
    assert error == "Runtime.InvalidEntrypoint"
    assert str(bootstrap) in body["errorMessage"]


def test_the_log_is_kept_and_its_end_returned(cloud, stack):
    event = json.dumps({"print": "a line of its own"}).encode()
    answer = cloud.functions.invoke(FunctionName="fake-curate", Payload=event, LogType="Tail")
    answer["Payload"].read()
    assert base64.b64decode(answer["LogResult"]) == b"a line of its own\n"
    log = (cloud.state / "logs" / "fake-curate.log").read_text()
    assert "a line of its own\n" in log
    assert '"type": "platform.report"' in log


def test_scratch_space_is_the_process_own(invoke, cloud):
    _, answer = invoke("curate", {})
    scratch = answer["environment"]["TMPDIR"]
    assert scratch.startswith(str(cloud.state.resolve()))


def test_functions_of_two_stacks_stay_apart(cloud, tmp_path):
    for name in ("extract", "validate", "curate", "catalog"):
        install_function(tmp_path / name)
    body = {"stack": "other", "functions": str(tmp_path), "parameters": {"BaseFolder": "elsewhere"}}
    outputs = cloud.control("POST", "stacks", body)["outputs"]
    answer = cloud.functions.invoke(FunctionName="other-extract", Payload=b"{}")
    environment = json.loads(answer["Payload"].read())["environment"]
    assert environment["BASE_FOLDER"] == "elsewhere"
    assert environment["LAND_BUCKET"] == outputs["LandBucketName"] == "other-land-123456789012-eu-west-2"
