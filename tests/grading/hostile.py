"""Submissions that try to forge points, to harm others or the grader, or to stay.

Each is a cell before the exercises, or the answer to one exercise. Every exercise that a hostile
file does not answer is answered wrongly (`wrong_attention`), so any point beyond `earned` is forged.
"""

import base64
import pickle

BEFORE = {
    "verdict_patched": """
import attnoise.exercises.mechanism as m
V = m.Verdict
m.Verdict = lambda p, s: V(True, s)
""",
    "expect_patched": """
import attnoise.exercises.attention as a, attnoise.exercises.mechanism as m
for where in (a, m):
    where.expect = where.reject = where.reject_if = lambda *x, **k: None
""",
    "json_patched": """
import json
real = json.dumps
json.dumps = lambda x, **k: real({"is": "value", "value": 10**6, "changed": []})
""",
    "sys_modules": """
import sys, types
fake = types.ModuleType("mechanism")
fake.Verdict = lambda p, s: True
sys.modules["attnoise.exercises.mechanism"] = fake
sys.modules["attnoise.exercises.attention"] = fake
""",
    "allclose_patched": """
import torch
torch.allclose = lambda *a, **k: True
torch.equal = lambda *a, **k: True
torch.Tensor.__eq__ = lambda a, b: True
""",
    "atexit": "import atexit, os\natexit.register(lambda: os.write(1, b'passed'))",
    "exit_zero": "import os\nos._exit(0)",
    "exit_late": "import os, threading\nthreading.Timer(0.3, lambda: os._exit(0)).start()",
    "system_exit": "raise SystemExit(0)",
    "kill_parent": """
import os, signal
for pid in range(os.getppid(), -2, -1):
    try: os.kill(pid, signal.SIGKILL)
    except OSError: pass
""",
    "kill_all": "import os\nos.kill(-1, 9)",
    "stop_all": """
import os, signal
for pid in (1, os.getppid(), os.getpid()):
    try: os.kill(pid, signal.SIGSTOP)
    except OSError: pass
""",
    "surviving_child": """
import os, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        time.sleep(3600)
    os._exit(0)
""",
    "daemon": """
import subprocess
subprocess.Popen(["/bin/sh", "-c", "trap '' TERM HUP INT; while :; do sleep 1; done"],
                 start_new_session=True)
""",
    "fork_bomb": """
import os
while True:
    try: os.fork()
    except OSError: pass
""",
    "threads": """
import threading, time
while True:
    threading.Thread(target=time.sleep, args=(3600,)).start()
""",
    "memory": "hog = []\nwhile True: hog.append(bytearray(b'x' * 2**26))",
    "memory_by_children": """
import os, time
for _ in range(30):
    if os.fork() == 0:
        hog = bytearray(b'x' * (400 * 2**20))
        time.sleep(3600)
time.sleep(3600)
""",
    "memory_of_nobody": """
import os
kept = []
for i in range(200):
    f = os.memfd_create(str(i))
    os.write(f, b'x' * 2**26)
    kept.append(f)
""",
    "disk": """
for i in range(10**6):
    with open(f'/tmp/{i}', 'wb') as f: f.write(b'x' * 2**26)
""",
    "inodes": "import os\nfor i in range(10**6): os.mkdir(f'/tmp/d{i}')",
    "endless_print": "while True: print('x' * 10**6)",
    "stderr": "import sys\nfor _ in range(200): sys.stderr.write('x' * 10**6)",
    "surrogates": "raise ValueError('\\ud800 \\udfff')",
    "long_message": "raise ValueError('x' * 10**8)",
    "evil_message": """
class E(Exception):
    def __str__(self): raise RuntimeError('no text')
raise E()
""",
    "formula_message": "raise ValueError('=HYPERLINK(\"http://x\")')",
    "loop": "while True: pass",
    "sleep": "import time\ntime.sleep(3600)",
    "read_books": """
import os
seen = [p for p in os.listdir('/') if p.endswith('.ipynb')]
for top in ('/work', '/root', '/home', '/builds', '/tmp', '/usr/src', '/usr/local/src', '/package'):
    for place, folders, files in os.walk(top):
        folders[:] = [f for f in folders if f not in ('.venv', '.pyenv', 'site-packages')]
        seen += [f for f in files if f.endswith(('.ipynb', '.csv')) or f == 'secret.json']
assert not seen, seen
assert not os.path.exists('/etc/shadow')
""",
    "read_classmates": """
import os
for pid in filter(str.isdigit, os.listdir('/proc')):
    assert b'grade' not in open(f'/proc/{pid}/cmdline', 'rb').read().split(b'\\0')
    for top, folders, files in os.walk(f'/proc/{pid}/root/work'):
        if '.venv' in folders: folders.remove('.venv')
        assert not files, files
assert sorted(filter(str.isdigit, os.listdir('/proc'))) == ['1', str(os.getpid())]
""",
    "network": """
import socket
for address in (('127.0.0.1', 22), ('1.1.1.1', 53)):
    try: socket.create_connection(address, timeout=2)
    except OSError: continue
    raise AssertionError('reached')
""",
    "vsock": "import socket\nsocket.socket(socket.AF_VSOCK, socket.SOCK_STREAM).connect((2, 22))",
    "write_package": """
import attnoise.exercises.mechanism as m
open(m.__file__, 'a').write('poison = 1')
""",
    "write_dev": """
for path in ('/dev/left', '/left', '/usr/left', '/package/left', '/proc/sys/kernel/hostname'):
    try: open(path, 'w').write('x')
    except OSError: continue
    raise AssertionError(path)
""",
    "left_in_tmp": """
import os
assert not os.path.exists('/tmp/left') and not os.path.exists('/dev/shm/left')
open('/tmp/left', 'w').write('x'); open('/dev/shm/left', 'w').write('x')
""",
    "namespaces": """
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
assert libc.unshare(0x10000000) < 0
assert libc.mount(b'none', b'/tmp', b'tmpfs', 0, None) < 0
assert libc.umount2(b'/proc', 2) < 0
assert libc.ptrace(16, 1, 0, 0) < 0
""",
    "frames": """
import gc, json, socket, struct
for wire in [o for o in gc.get_objects() if isinstance(o, socket.socket)]:
    text = json.dumps({'is': 'value', 'value': 26.0, 'changed': []}).encode()
    wire.sendall((struct.pack('>II', len(text), 0) + text) * 50)
""",
    "lying_lengths": """
import gc, socket, struct
for wire in [o for o in gc.get_objects() if isinstance(o, socket.socket)]:
    wire.sendall(struct.pack('>II', 2**31, 2**31))
""",
    "deep_frame": """
import gc, socket, struct
for wire in [o for o in gc.get_objects() if isinstance(o, socket.socket)]:
    text = b'[' * 200_000
    wire.sendall(struct.pack('>II', len(text), 0) + text)
""",
    "dripping": """
import gc, socket, time
wire = [o for o in gc.get_objects() if isinstance(o, socket.socket)][0]
while True:
    wire.send(b'\\0'); time.sleep(0.3)
""",
    "every_descriptor": """
import os
for fd in range(3, 256):
    try: os.write(fd, b'{"end": "", "fault": true, "cpu": -1000}')
    except OSError: pass
""",
    "drops_the_wire": "import os\nos.closerange(3, 256)",
    "worker_patched": """
import gc
from attnoise.grading import worker
for o in gc.get_objects():
    if isinstance(o, worker.Worker):
        o.answer = lambda message, blob: o.channel.send({'is': 'value', 'value': True})
        o.call = lambda message, blob: o.channel.send({'is': 'value', 'value': True})
""",
    "false_callbacks": """
import gc
from attnoise.grading import worker
for o in gc.get_objects():
    if isinstance(o, worker.Worker):
        for number in (0, 1, -1, 'x', None, 10**9):
            o.channel.send({'is': 'callback', 'id': number, 'value': {'l': [{'l': []}, {'d': []}]}})
""",
}


class Evil:
    def __reduce__(self):
        return (exec, ("raise SystemExit('unpickled')",))


PICKLED = base64.b64encode(pickle.dumps(Evil())).decode()

ANSWERS = {  # to the second exercise, `my_attention`
    "always_equal": """
class Equal(float):
    def __eq__(self, other): return True
    def __sub__(self, other): return 0.0
def my_attention(*a): return Equal(1)
""",
    "torch_function": """
class T(torch.Tensor):
    @classmethod
    def __torch_function__(cls, f, types, args=(), kwargs=None): return True
def my_attention(*a): return torch.zeros(5, 3).as_subclass(T)
""",
    "caller_frames": """
import sys
def my_attention(*a):
    frame = sys._getframe()
    while frame:
        for name in ('right', 'output', 'scaled', 'got'):
            if name in frame.f_locals: return frame.f_locals[name]
        frame = frame.f_back
    return None
""",
    "pickled": f"""
import base64, pickle
class P:
    def __reduce__(self): return (exec, ("raise SystemExit",))
def my_attention(*a): return [P(), base64.b64decode('{PICKLED}')]
""",
    "huge": "def my_attention(*a): return torch.zeros(2**28)",
    "broadcast": "def my_attention(*a): return torch.zeros(1).expand(2**40)",
    "deep_list": """
deep = []
for _ in range(10**5): deep = [deep]
def my_attention(*a): return deep
""",
    "itself": "loop = []\nloop.append(loop)\ndef my_attention(*a): return loop",
    "long_integer": "def my_attention(*a): return 1 << (8 * 2**20)",
    "endless_iterator": "import itertools\ndef my_attention(*a): return itertools.count()",
    "slow_answer": "def my_attention(*a):\n    while True: pass",
    "names": """
class C: pass
C.__name__ = "=cmd|' /C calc'!A0"
def my_attention(*a): return C()
""",
    "recursion": "def my_attention(*a): return my_attention(*a)",
    "segfault": "import ctypes\ndef my_attention(*a): return ctypes.string_at(0)",
}
