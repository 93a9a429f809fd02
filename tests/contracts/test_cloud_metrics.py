"""Metrics of the three clouds over real requests: CloudWatch by moto, Azure Monitor and Cloud Monitoring by
ours.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest

from cloud.adapters.errors import Throttled
from cloud.adapters.protocol import MetricQuery
from cloud.simulators.server import Fault, FaultKind
from tests.contracts import adapter_benches
from tests.contracts.adapter_benches import SURROUNDINGS, needs

START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def ms(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


def query(metric: str, **values) -> MetricQuery:
    end = START + timedelta(minutes=10)
    row = {"resource_kind": "instance", "start_ms": ms(START), "end_ms": ms(end)}
    return MetricQuery(metric=metric, **row | values)


def test_cloudwatch_averages_become_series():
    with adapter_benches.aws() as bench:
        import boto3

        keys = {"aws_access_key_id": "AKIDSIMULATED", "aws_secret_access_key": "simulated"}
        watch = boto3.client("cloudwatch", region_name="us-east-1", endpoint_url=bench.server.url, **keys)
        dimensions = [{"Name": "InstanceId", "Value": "i-1"}]
        for minute in range(3):
            moment = START + timedelta(minutes=minute)
            data = {"MetricName": "CPUUtilization", "Dimensions": dimensions, "Timestamp": moment}
            watch.put_metric_data(Namespace="AWS/EC2", MetricData=[data | {"Value": 10.0 * minute}])
        asked = [query("CPUUtilization", dimensions={"InstanceId": "i-1"}), query("NetworkIn")]
        (found,) = bench.adapter.metrics(bench.session, asked)

        assert found.labels == {"__name__": "cloud_aws_cpu_utilization", "instance_id": "i-1"}
        assert list(found.values) == [0.0, 10.0, 20.0]
        assert list(found.at_ms) == [ms(START + timedelta(minutes=minute)) for minute in range(3)]


def test_azure_monitor_averages_become_series():
    with adapter_benches.azure() as bench:
        asked = query("Percentage CPU", dimensions={"resource_group": "shop", "name": "web-1"})
        (found,) = bench.adapter.metrics(bench.session, [asked])

        assert found.labels["__name__"] == "cloud_azure_percentage_cpu"
        assert found.labels["name"] == "web-1"
        assert list(found.values) == [float(number) for number in range(10)]
        assert found.at_ms[0] == ms(START)

        bench.server.faults = [Fault(FaultKind.THROTTLED)]
        with pytest.raises(Throttled):
            list(bench.adapter.metrics(bench.session, [asked]))


@contextmanager
def monitoring(served):
    """A gRPC server of Cloud Monitoring that answers with one series."""
    grpc = needs("grpc")
    service = needs("google.cloud.monitoring_v3")
    name = "google.monitoring.v3.MetricService"

    def answer(request, context):
        served.append(request)
        point = {
            "interval": {"end_time": {"seconds": ms(START) // 1000}},
            "value": {"double_value": 0.25},
        }
        series = {
            "metric": {"type": "compute.googleapis.com/instance/cpu/utilization"},
            "resource": {"type": "gce_instance", "labels": {"instance_id": "17", "zone": "eu-b"}},
            "points": [point],
        }
        return service.ListTimeSeriesResponse(time_series=[series])

    handler = grpc.unary_unary_rpc_method_handler(
        answer,
        request_deserializer=service.ListTimeSeriesRequest.deserialize,
        response_serializer=service.ListTimeSeriesResponse.serialize,
    )
    server = grpc.server(ThreadPoolExecutor(2))
    server.add_generic_rpc_handlers(
        (grpc.method_handlers_generic_handler(name, {"ListTimeSeries": handler}),)
    )
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield port
    finally:
        server.stop(None).wait()


def test_cloud_monitoring_means_become_series():
    adapter = needs("cloud.adapters.gcp.adapter").GcpAdapter(SURROUNDINGS)
    served: list = []
    with monitoring(served) as port:
        settings = adapter.settings(
            project="simulated-project", zones=["europe-west1-b"], monitoring_endpoint=f"127.0.0.1:{port}"
        )
        session = adapter.open(settings, adapter.credentials(access_token="simulated-token"))
        asked = query("compute.googleapis.com/instance/cpu/utilization", dimensions={"zone": "eu-b"})
        (found,) = adapter.metrics(session, [asked])

    assert found.labels == {
        "__name__": "cloud_gcp_instance_cpu_utilization",
        "instance_id": "17",
        "zone": "eu-b",
    }
    assert (list(found.at_ms), list(found.values)) == ([ms(START)], [0.25])
    assert 'resource.labels.zone = "eu-b"' in served[0].filter
