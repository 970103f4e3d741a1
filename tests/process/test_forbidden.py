"""What a worker cannot do once it has confined itself, tried from inside: by a program that enters the same sandbox.

What the daemon makes of a worker that tries is in test_confined.py.
"""

import ctypes
import re

import pytest

from confined import attempts, unsanitized, without

pytestmark = unsanitized

AT_FDCWD, AT_EMPTY_PATH = -100, 0x1000
AF_UNIX, AF_INET, AF_INET6, AF_NETLINK, AF_PACKET, AF_VSOCK, AF_ALG = 1, 2, 10, 16, 17, 40, 38
SOCK_STREAM, SOCK_DGRAM, SOCK_RAW = 1, 2, 3
PROT_EXEC, MAP_SHARED, MAP_PRIVATE, MAP_ANONYMOUS = 4, 1, 2, 0x20
SIGCHLD, SIGTERM = 17, 15
PR_SET_DUMPABLE, PR_SET_KEEPCAPS, PR_SET_MM, PR_SET_SECCOMP = 4, 8, 35, 22
CLONE_NEWUSER, CLONE_NEWNET = 0x10000000, 0x40000000
SOL_SOCKET, SO_ATTACH_FILTER, SO_BINDTODEVICE, SO_ATTACH_BPF = 1, 26, 25, 50
F_SETFL, F_SETOWN, F_SETSIG, F_SETLEASE, F_NOTIFY = 4, 8, 10, 1024, 1026
SHUT_RD, SHUT_WR, SHUT_RDWR, MSG_FASTOPEN = 0, 1, 2, 0x20000000
IPPROTO_TCP, TCP_INFO = 6, 11
FIONREAD, TIOCSTI = 0x541B, 0x5412

# All of these are harmless where nothing forbids them: what they name is not there, or their arguments are wrong.

# Ends the process, and its last words name the call.
ENDS = f"""
    execve=@/bin/true,0,0  execveat=file,@,0,0,{AT_EMPTY_PATH}
    fork  vfork  clone={SIGCHLD},0,0,0,0  clone3=0,0
    open=@/etc/passwd,0  creat=@/tmp/hellod-forbidden,0600  openat={AT_FDCWD},@/etc/passwd,0
    openat2={AT_FDCWD},@/etc/passwd,0,24  open_by_handle_at=-1,0,0
    socket={AF_INET},{SOCK_STREAM},0  socket={AF_INET},{SOCK_DGRAM},0  socket={AF_INET6},{SOCK_STREAM},0
    socket={AF_UNIX},{SOCK_DGRAM},0  socket={AF_NETLINK},{SOCK_RAW},0  socket={AF_PACKET},{SOCK_RAW},0
    socket={AF_VSOCK},{SOCK_STREAM},0  socket={AF_ALG},5,0
    connect=tcp,address,16  connect=udp,address,16  bind=tcp,address,16  bind=udp,address,16  listen=tcp,5
    ptrace=0,0,0,0  ptrace=16,parent,0,0  process_vm_readv=parent,0,0,0,0,0  process_vm_writev=parent,0,0,0,0,0
    mount=@none,@/nothing,@tmpfs,0,0  bpf=0,0,0  userfaultfd=0  keyctl=0,0
    shutdown=listener,{SHUT_RD}  shutdown=listener,{SHUT_RDWR}
    io_uring_setup=1,0  io_uring_enter=-1,0,0,0,0  io_uring_register=-1,0,0,0
""".split()

# Does not happen, in whichever way.
FAILS = f"""
    unlink=@/nothing  unlinkat={AT_FDCWD},@/nothing,0  mkdir=@/nothing,0  mkdirat={AT_FDCWD},@/nothing,0
    rmdir=@/nothing  symlink=@/nothing,@/nothing  symlinkat=@/nothing,{AT_FDCWD},@/nothing
    link=@/nothing,@/nothing  linkat={AT_FDCWD},@/nothing,{AT_FDCWD},@/nothing,0  rename=@/nothing,@/nothing
    renameat={AT_FDCWD},@/nothing,{AT_FDCWD},@/nothing  renameat2={AT_FDCWD},@/nothing,{AT_FDCWD},@/nothing,0
    mknod=@/nothing,0,0  mknodat={AT_FDCWD},@/nothing,0,0  truncate=@/nothing,0  ftruncate=file,0
    chmod=@/nothing,0  fchmod=file,0  fchmodat={AT_FDCWD},@/nothing,0  chown=@/nothing,0,0  fchown=file,0,0
    lchown=@/nothing,0,0  fchownat={AT_FDCWD},@/nothing,0,0,0  utimensat={AT_FDCWD},@/nothing,0,0
    stat=@/,page  lstat=@/,page  newfstatat={AT_FDCWD},@/,page,0  statx={AT_FDCWD},@/,0,0,page  statfs=@/,page
    access=@/,0  faccessat={AT_FDCWD},@/,0  faccessat2={AT_FDCWD},@/,0,0  readlink=@/proc/self,page,9
    readlinkat={AT_FDCWD},@/proc/self,page,9  chdir=@/  fchdir=file  getcwd=page,4096  chroot=@/
    getdents64=file,page,4096  setxattr=@/nothing,@user.x,page,1,0  getxattr=@/,@user.x,page,1  flock=file,2
    name_to_handle_at={AT_FDCWD},@/,page,page,0  inotify_init  inotify_init1=0  fanotify_init=0,0
    umount2=@/nothing,0  pivot_root=@/nothing,@/nothing  fsopen=@tmpfs,0  fsmount=-1,0,0  open_tree={AT_FDCWD},@/,0
    move_mount=-1,@,-1,@,0  mount_setattr=-1,@,0,0,0  swapon=@/nothing,0  swapoff=@/nothing  quotactl=0,0,0,0
    socketpair={AF_UNIX},{SOCK_STREAM},0,page  pipe=page  pipe2=page,0  memfd_create=@x,0  memfd_secret=0
    setsockopt=udp,{SOL_SOCKET},{SO_ATTACH_FILTER},page,16  setsockopt=udp,{SOL_SOCKET},{SO_BINDTODEVICE},@lo,3
    setsockopt=udp,{SOL_SOCKET},{SO_ATTACH_BPF},page,4  getsockopt=udp,{SOL_SOCKET},{SO_ATTACH_FILTER},page,page
    kill=parent,0  kill=parent,{SIGTERM}  kill=0,0  kill=-1,0  tkill=parent,0  tgkill=parent,parent,0
    rt_sigqueueinfo=parent,0,page  pidfd_open=parent,0  pidfd_getfd=-1,0,0  pidfd_send_signal=-1,0,0,0
    setuid=0  setgid=0  setreuid=0,0  setregid=0,0  setresuid=0,0,0  setresgid=0,0,0  setfsuid=0  setgroups=0,0
    capset=page,0  setsid  setpgid=0,0  sethostname=page,-1  setdomainname=page,-1
    prctl={PR_SET_DUMPABLE},1,0,0,0  prctl={PR_SET_KEEPCAPS},1,0,0,0  prctl={PR_SET_MM},1,0,0,0
    setpriority=0,0,-1  sched_setaffinity=0,8,page  sched_setscheduler=0,0,page  sched_setparam=0,page
    sched_setattr=0,page,0  ioprio_set=1,0,0  setrlimit=7,page  prlimit64=0,7,page,0  prlimit64=parent,7,0,page
    mmap=0,4096,{PROT_EXEC},{MAP_PRIVATE | MAP_ANONYMOUS},-1,0  mmap=0,4096,{PROT_EXEC | 1},{MAP_PRIVATE},file,0
    mmap=0,4096,{PROT_EXEC | 3},{MAP_SHARED | MAP_ANONYMOUS},-1,0  mprotect=page,4096,{PROT_EXEC}
    mprotect=page,4096,{PROT_EXEC | 3}  pkey_mprotect=page,4096,{PROT_EXEC},-1  remap_file_pages=page,4096,0,0,0
    shmget=0,4096,01600  semget=0,1,01600  msgget=0,01600  mq_open=@x,0102,0600,0
    add_key=@user,@x,page,1,0  request_key=@user,@x,0,0  perf_event_open=page,0,-1,-1,0
    unshare={CLONE_NEWUSER}  unshare={CLONE_NEWNET}  setns=file,0  personality=0xffffffff
    init_module=page,1,@  finit_module=file,@,0  delete_module=@nothing,0  kexec_load=0,0,0,0
    kexec_file_load=-1,-1,0,@,0  reboot=0,0,0,0  acct=@/nothing  syslog=10,0,0  settimeofday=0,0  clock_settime=0,0  adjtimex=page
    clock_adjtime=0,page  iopl=0  ioperm=0,1,0  modify_ldt=0,page,0  arch_prctl=0x1002,page
    ioctl=0,{TIOCSTI},page  fcntl=file,{F_SETFL},0  fcntl=file,{F_SETOWN},parent  fcntl=file,{F_SETSIG},9
    fcntl=file,{F_SETLEASE},0  fcntl=file,{F_NOTIFY},1  kcmp=parent,parent,0,0,0  process_madvise=-1,0,0,0,0  migrate_pages=parent,0,0,0
    move_pages=parent,0,0,0,0,0  vmsplice=-1,0,0,0  lookup_dcookie=0,page,9  uselib=@/nothing  ustat=0,page
    timer_create=0,0,page  wait4=-1,0,0,0  waitid=0,0,0,4,0  pause  vhangup  sync
    seccomp=1,0,page  prctl={PR_SET_SECCOMP},2,page,0,0  landlock_create_ruleset=page,8,0  landlock_restrict_self=-1,0
""".split()

# Another machine's calls do not go round the table; x32 is a machine of its own, with the bit 30 in its numbers.
FOREIGN = ["int80", "#0x4000003b"]

NO_SUCH_CALLS = ["#9999", "#600", "#511"]

# All that is permitted whatever its arguments are. Who permits more has to say so here, too.
SERVES = """
    epoll_wait epoll_pwait epoll_ctl accept4 recvfrom recv sendto send recvmmsg recvmmsg_time64 sendmmsg shutdown close
    clock_gettime clock_gettime64 write writev madvise munmap brk getpid gettid alarm setitimer
    rt_sigreturn sigreturn rt_sigprocmask restart_syscall exit exit_group
""".split()
# And what is with these.
F_DUPFD_CLOEXEC, FUTEX_WAKE_PRIVATE, SIGABRT = 1030, 129, 6
SERVES_WITH = f"""
    mmap=0,4096,3,{MAP_PRIVATE | MAP_ANONYMOUS},-1,0  fcntl=file,{F_DUPFD_CLOEXEC},0  rt_sigaction={SIGABRT},0,page,8
    tgkill=self,self,0  futex=page,{FUTEX_WAKE_PRIVATE},1  shutdown=listener,{SHUT_WR}
    getsockopt=listener,{IPPROTO_TCP},{TCP_INFO},page,page
""".split()
# The kernel lets these through by itself, for its own use; they have no names yet.
PASS = {"number 335", "number 336", "uretprobe", "uprobe"}


@pytest.fixture(scope="module")
def ends():
    """(call, outcome) of all that is to end or to fail, in the sandbox."""
    return attempts("sandbox", *ENDS, *FAILS, *FOREIGN, *NO_SUCH_CALLS)


def outcome(tried, calls):
    """Of those among CALLS that this machine has, as "call=arguments: outcome"."""
    words = [*ENDS, *FAILS, *FOREIGN, *NO_SUCH_CALLS]
    return {word: came for word, (_, came) in zip(words, tried, strict=True) if word in calls and came != "unknown"}


def test_what_ends_the_process(ends):
    """By SIGSYS, with last words that name the call."""
    found = outcome(ends, ENDS)
    assert len(found) > 30
    assert not {word: came for word, came in found.items() if came != "SIGSYS " + word.partition("=")[0]}


def test_what_does_not_work(ends):
    found = outcome(ends, FAILS)
    assert len(found) > 100
    harmless = re.compile(r"ENOSYS|EPERM|SIGSYS \w+")
    assert not {word: came for word, came in found.items() if not harmless.fullmatch(came)}


def test_calls_of_another_machine(ends):
    """The kernel may have no such calls at all."""
    assert all(re.fullmatch(r"SIGSYS.*|SIGSEGV|ENOSYS|ENOTSUP", came) for came in outcome(ends, FOREIGN).values())


def test_calls_that_are_still_to_be_invented(ends):
    """A C library that tries them takes an older one."""
    assert set(outcome(ends, NO_SUCH_CALLS).values()) == {"ENOSYS"}


def test_nothing_else_is_permitted():
    """Of all numbers that there are."""
    came = attempts("sandbox", "*")
    permitted = {call for call, how in came if not re.fullmatch(r"ENOSYS|EPERM|SIGSYS.*", how)}
    assert len(came) > 500 and {"accept4", "sendmmsg"} <= permitted
    assert permitted - PASS <= set(SERVES)


def test_what_the_c_library_needs():
    assert {how for _, how in attempts("sandbox", *SERVES_WITH)} == {"done"}


def test_listening_socket_is_no_way_out():
    """A call that sends can connect, too, which neither seccomp nor Landlock sees. It wants a socket that does nothing
    else, and one that listens cannot be made into such a one: what stops it from listening ends the process."""
    ((_, how),) = attempts("sandbox", f"sendto=listener,page,1,{MSG_FASTOPEN},address,16")
    assert how in ("EISCONN", "EOPNOTSUPP")


# ---- the master ----

MASTER_DOES_WITHOUT = f"""
    execve=@/bin/true,0,0  execveat=file,@,0,0,{AT_EMPTY_PATH}  ptrace=0,0,0,0  process_vm_readv=self,0,0,0,0,0
    process_vm_writev=self,0,0,0,0,0  pidfd_getfd=-1,0,0  kcmp=self,self,0,0,0  setuid=0  setgid=0  setreuid=0,0
    setregid=0,0  setresuid=0,0,0  setresgid=0,0,0  setfsuid=0  setfsgid=0  setgroups=0,0  unshare={CLONE_NEWUSER}
    unshare={CLONE_NEWNET}  setns=file,0  clone={CLONE_NEWUSER | SIGCHLD},0,0,0,0  chroot=@/  pivot_root=@/nothing,@/nothing
    mount=@none,@/nothing,@tmpfs,0,0  umount2=@/nothing,0  fsopen=@tmpfs,0  move_mount=-1,@,-1,@,0  open_tree={AT_FDCWD},@/,0
    bpf=0,0,0  perf_event_open=page,0,-1,-1,0  userfaultfd=0  io_uring_setup=1,0  io_uring_enter=-1,0,0,0,0
    io_uring_register=-1,0,0,0  keyctl=0,0  add_key=@user,@x,page,1,0  request_key=@user,@x,0,0
    init_module=page,1,@  finit_module=file,@,0  delete_module=@nothing,0  kexec_load=0,0,0,0  reboot=0,0,0,0
    swapon=@/nothing,0  swapoff=@/nothing  acct=@/nothing  settimeofday=0,0  clock_settime=0,0  adjtimex=page
    sethostname=page,-1  setdomainname=page,-1  syslog=10,0,0  iopl=0  ioperm=0,1,0  personality=0xffffffff
    mmap=0,4096,7,{MAP_PRIVATE | MAP_ANONYMOUS},-1,0  mprotect=page,4096,{PROT_EXEC}
""".split()
MASTER_DOES = f"""
    fork  openat={AT_FDCWD},@/etc/passwd,0  socket={AF_INET},{SOCK_STREAM},0  socket={AF_INET6},{SOCK_DGRAM},0
    socket={AF_UNIX},{SOCK_STREAM},0  bind=tcp,address,16  listen=tcp,5  kill=parent,0  memfd_create=@x,0
    mmap=0,4096,3,{MAP_PRIVATE | MAP_ANONYMOUS},-1,0
""".split()


def test_what_the_master_does_without():
    """It fails, and does no harm."""
    came = attempts("master", *MASTER_DOES_WITHOUT)
    assert [pair for pair in came if pair[1] not in ("EPERM", "unknown")] == []
    assert attempts("master", "clone3=0,0", "#9999") == [("clone3", "ENOSYS"), ("#9999", "ENOSYS")]


def test_what_the_master_does():
    assert {how for _, how in attempts("master", *MASTER_DOES)} == {"done"}


# ---- files, where the kernel has Landlock ----

QUESTION = 444, None, 0, 1  # landlock_create_ruleset(2), asked for the version
TRUNCATES, NETWORK, SIGNALS = 3, 4, 6  # since which version


def with_files(folder):
    """What can be done in FOLDER, which has files, in an order in which each of them works; since which version of
    Landlock it does not, and with which errno."""
    file, new = f"@{folder}/file", f"@{folder}/new"
    gone = f"unlinkat={AT_FDCWD},{new},0", 1, "ENOENT"  # as nobody could make it
    return [
        (f"openat={AT_FDCWD},{file},0", 1, "EACCES"),
        (f"openat={AT_FDCWD},{file},1", 1, "EACCES"),
        (f"openat={AT_FDCWD},@{folder},0200000", 1, "EACCES"),
        (f"openat={AT_FDCWD},{new},0101,0600", 1, "EACCES"),
        gone,
        (f"mkdirat={AT_FDCWD},{new},0700", 1, "EACCES"),
        (f"unlinkat={AT_FDCWD},{new},0x200", 1, "ENOENT"),
        (f"symlinkat={file},{AT_FDCWD},{new}", 1, "EACCES"),
        gone,
        (f"linkat={AT_FDCWD},{file},{AT_FDCWD},{new},0", 1, "EACCES"),
        gone,
        (f"mknodat={AT_FDCWD},{new},010600,0", 1, "EACCES"),
        gone,
        (f"truncate={file},1", TRUNCATES, "EACCES"),
        (f"renameat2={AT_FDCWD},{file},{AT_FDCWD},{new},0", 1, "EACCES"),
        (f"unlinkat={AT_FDCWD},@{folder}/other,0", 1, "EACCES"),
        ("execve=@/bin/true,0,0", 1, "EACCES"),
        (f"execveat=file,@,0,0,{AT_EMPTY_PATH}", 1, "EACCES"),
        ("bind=tcp,address,16", NETWORK, "EACCES"),
        ("connect=tcp,address,16", NETWORK, "EACCES"),
        ("kill=parent,0", SIGNALS, "EPERM"),
    ]


@pytest.fixture
def tries(tmp_path):
    for name in ("file", "other"):
        (tmp_path / name).write_text("some")
    return with_files(tmp_path)


@pytest.mark.parametrize("fence, wrapper", [("files", []), ("unfiltered", without("seccomp"))])
def test_landlock_alone(tries, fence, wrapper):
    """By itself, and as what is left of a worker's sandbox where seccomp is missing: with that, most calls never get so
    far."""
    version = ctypes.CDLL(None).syscall(*QUESTION)
    came = [outcome for _, outcome in attempts(fence, *[call for call, _, _ in tries], wrapper=wrapper)]
    wanted = [errno for _, since, errno in tries if version >= since]
    assert [outcome for outcome, (_, since, _) in zip(came, tries, strict=True) if version >= since] == wanted


@pytest.mark.parametrize("fence", ["nothing", "log"])
def test_all_of_that_can_be_done(tries, fence):
    """Else the test above would show nothing. Who only logs forbids nothing either."""
    came = attempts(fence, *[call for call, _, _ in tries])
    assert [pair for pair in came if pair[1] not in ("done", "ECONNREFUSED", "EADDRNOTAVAIL")] == []
