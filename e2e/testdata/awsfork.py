"""Runs the aws CLI of this Python again and again without loading it again.

awsfork.py SOCKET   for every connection: one line of JSON {"args", "env", "dir", "stdout", "stderr"} in, the exit code out

A command runs in a fork of a process that has loaded the CLI and done nothing
with it: with an environment, a directory and output files of its own, as if a
shell had started it. All ends when standard input does.
"""

import json
import os
import select
import socket
import sys

import awscli.clidriver

# What the CLI itself puts into the environment when it is loaded.
OWN = {name: os.environ[name] for name in ["AWS_DATA_PATH"] if name in os.environ}


def run(conn):
    job = json.loads(conn.makefile().readline())
    os.environ.clear()
    os.environ.update(job["env"] | OWN)
    os.chdir(job["dir"])
    for fd, path in ((1, job["stdout"]), (2, job["stderr"])):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), fd)
    sys.argv = ["aws", *job["args"]]
    try:
        code = awscli.clidriver.main()
    except SystemExit as e:
        code = e.code or 0
    sys.stdout.flush()
    sys.stderr.flush()
    conn.sendall(b"%d\n" % code)


def main():
    # Loads what a first command would load, and writes nothing down of it.
    awscli.clidriver.create_clidriver()
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(sys.argv[1])
    listener.listen(64)
    os.write(1, b"ready\n")
    while listener in select.select([listener, 0], [], [])[0]:
        conn, _ = listener.accept()
        if os.fork() == 0:
            listener.close()
            os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
            run(conn)
            os._exit(0)
        conn.close()
        reap(os.WNOHANG)
    reap(0)


def reap(options):
    try:
        while os.waitpid(-1, options)[0]:
            pass
    except ChildProcessError:
        pass


main()
