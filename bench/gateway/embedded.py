"""Runs the gateway that TensorZero's wheel embeds, with the configuration file given, and prints its base URL."""

import signal
import sys

from tensorzero import _start_http_gateway

gateway = _start_http_gateway(config_file=sys.argv[1], clickhouse_url=None, postgres_url=None, valkey_url=None, async_setup=False)
print(gateway.base_url, flush=True)
signal.pause()
