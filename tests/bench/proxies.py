# SPDX-License-Identifier: Apache-2.0
"""Configures and starts each proxy.

Each function takes the environment, the socket to listen on and the socket to forward to. It writes
the proxy's configuration, if there is one, and returns a command line that stays in the foreground.
"""

import os

DESCRIPTORS = 16384  # systemd-socket-proxyd needs six for each pair
CAPACITY = 4096  # how many connections each proxy is configured for


def ttrpc_proxyd_config(listen, backend, users=("root",), rule="these may echo"):
    names = ", ".join(f'"{user}"' for user in users)
    return f"""[[listener]]
name = "bench"
address = "unix://{listen}"
mode = "{"0600" if users == ("root",) else "0666"}"

[[backend]]
name = "echo"
address = "unix://{backend}"
users = ["root"]
connections = "per-peer"

[[rule]]
name = "{rule}"
users = [{names}]
methods = ["/bench.Echo/Echo"]
action = "allow"
backend = "echo"
"""


def ttrpc_proxyd(env, listen, backend):
    config = env.folder / "ttrpc-proxyd.toml"
    env.write(config, ttrpc_proxyd_config(listen, backend))
    return [env.build / "daemon/ttrpc-proxyd", "--config", config]


def before_proxy(program):
    """Another build of ttrpc-proxyd, with the same configuration."""
    program = program.resolve()

    def start(env, listen, backend):
        config = env.folder / "before.toml"
        env.write(config, ttrpc_proxyd_config(listen, backend))
        return [program, "--config", config]

    return start


def nginx(env, *pairs):
    """`pairs`: of sockets, to listen on and to forward to."""
    servers = "".join(
        f"""  server {{
    listen unix:{listen} backlog=4096;
    proxy_pass unix:{backend};
  }}
"""
        for listen, backend in pairs
    )
    config = env.folder / "nginx.conf"
    module = "/usr/lib/nginx/modules/ngx_stream_module.so"  # else it is built in
    load = f"load_module {module};\n" if os.path.exists(module) else ""
    env.write(
        config,
        load
        + f"""daemon off;
user root;
worker_processes 1;
worker_rlimit_nofile {DESCRIPTORS};
pid {env.folder}/nginx.pid;
error_log stderr error;
events {{ worker_connections {2 * CAPACITY}; }}
stream {{
{servers}}}
""",
    )
    return ["nginx", "-p", env.folder, "-e", "stderr", "-c", config]


def haproxy(env, listen, backend):
    config = env.folder / "haproxy.cfg"
    env.write(
        config,
        f"""global
  nbthread 1
  maxconn {CAPACITY}
defaults
  mode tcp
  timeout connect 5s
  timeout client 1h
  timeout server 1h
frontend bench
  bind unix@{listen} backlog 4096
  default_backend echo
backend echo
  server echo unix@{backend}
""",
    )
    return ["haproxy", "-db", "-q", "-f", config]


def socket_proxyd(_env, listen, backend):
    # systemd-socket-activate executes the proxy at the first connection.
    return [
        "systemd-socket-activate",
        f"--listen={listen}",
        "/lib/systemd/systemd-socket-proxyd",
        f"--connections-max={CAPACITY}",
        backend,
    ]


def go_proxy(env, listen, backend):
    return [env.build / "tests/bench/ttrpc-bench-goproxy", "-listen", listen, "-backend", backend]


def go_proxy_shared(env, listen, backend):
    return go_proxy(env, listen, backend) + ["-shared"]


PROXIES = {
    "ttrpc-proxyd": ttrpc_proxyd,
    "nginx": lambda env, listen, backend: nginx(env, (listen, backend)),
    "haproxy": haproxy,
    "socket-proxyd": socket_proxyd,
    "go": go_proxy,
    "go-shared": go_proxy_shared,
}
DEFAULT_ONLY = ["direct", "ttrpc-proxyd", "nginx", "haproxy", "socket-proxyd", "go"]
