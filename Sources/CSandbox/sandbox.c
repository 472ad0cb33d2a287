#include "child.h"
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/wait.h>

// Not from <linux/mount.h>, which older libcs cannot bear beside <sys/mount.h>.
#ifndef OPEN_TREE_CLONE
#define OPEN_TREE_CLONE 1
#endif
#ifndef OPEN_TREE_CLOEXEC
#define OPEN_TREE_CLOEXEC O_CLOEXEC
#endif
#ifndef MOVE_MOUNT_F_EMPTY_PATH
#define MOVE_MOUNT_F_EMPTY_PATH 4
#endif
#ifndef AT_RECURSIVE
#define AT_RECURSIVE 0x8000
#endif

/// What dpkg and the scripts of packages need, and no more.
static const int kept_capabilities[] = {
    CAP_CHOWN,  CAP_DAC_OVERRIDE, CAP_FOWNER, CAP_FSETID,     CAP_KILL,
    CAP_SETGID, CAP_SETUID,       CAP_SETFCAP, CAP_SYS_CHROOT,
};

static const char *const devices[] = {"/dev/null",   "/dev/zero",    "/dev/full",
                                      "/dev/random", "/dev/urandom", "/dev/tty"};
#define DEVICES (sizeof devices / sizeof *devices)
#define MOST_BINDS 64

/// State of a sandbox's first process; all of it was made before the fork.
struct sandbox {
  const struct csandbox_plan *plan;
  int report;
  int go;
  struct sock_filter filter[256];
  size_t filter_length;
  int device_trees[DEVICES];
  int bind_trees[MOST_BINDS];
};

static int take_tree(const char *path, unsigned flags) {
  return (int)syscall(SYS_open_tree, AT_FDCWD, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | flags);
}

static int place_tree(int tree, const char *path) {
  return (int)syscall(SYS_move_mount, tree, "", AT_FDCWD, path, MOVE_MOUNT_F_EMPTY_PATH);
}

/// The flags of the mount at `path`, as mount(2) wants them back: a namespace may not drop them.
static unsigned long mount_flags(const char *path) {
  static const unsigned long pairs[][2] = {
      {1, MS_RDONLY}, {2, MS_NOSUID}, {4, MS_NODEV}, {8, MS_NOEXEC},
      {1024, MS_NOATIME}, {2048, MS_NODIRATIME}, {4096, MS_RELATIME},
  };
  struct statfs facts;
  if (statfs(path, &facts) != 0) return 0;
  unsigned long flags = 0;
  for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++)
    if ((unsigned long)facts.f_flags & pairs[i][0]) flags |= pairs[i][1];
  return flags;
}

static int remount(const char *path, unsigned long more) {
  return mount(NULL, path, NULL, MS_REMOUNT | MS_BIND | more | mount_flags(path), NULL);
}

/// Takes hold of the host's files that the sandbox shall show, while they can still be seen.
static void collect(struct sandbox *box) {
  for (size_t i = 0; i < DEVICES; i++)
    if ((box->device_trees[i] = take_tree(devices[i], 0)) < 0)
      csandbox_fail(box->report, "take", devices[i]);
  for (size_t i = 0; i < box->plan->bind_count; i++)
    if ((box->bind_trees[i] = take_tree(box->plan->binds[i].source, AT_RECURSIVE)) < 0)
      csandbox_fail(box->report, "take", box->plan->binds[i].source);
}

/// Makes a file system in memory over the root the new root: what is written goes with it.
static void turn_overlay(struct sandbox *box) {
  int report = box->report;
  const char *root = box->plan->root;
  // The working folder still names the root when /tmp, below which it may lie, shows something else.
  if (chdir(root) != 0) csandbox_fail(report, "enter the root", root);
  if (mount("tmpfs", "/tmp", "tmpfs", MS_NOSUID | MS_NODEV, "mode=0755") != 0)
    csandbox_fail(report, "mount", "/tmp");
  static const char *const folders[] = {"/tmp/upper", "/tmp/work", "/tmp/root"};
  for (size_t i = 0; i < 3; i++)
    if (mkdir(folders[i], 0755) != 0) csandbox_fail(report, "create", folders[i]);
  const char *plain = "lowerdir=.,upperdir=/tmp/upper,workdir=/tmp/work";
  const char *nested = "lowerdir=.,upperdir=/tmp/upper,workdir=/tmp/work,userxattr";
  // In a namespace of ours the kernel keeps its marks in attributes that users may set.
  if (mount("overlay", "/tmp/root", "overlay", MS_NOSUID | MS_NODEV, nested) != 0 &&
      mount("overlay", "/tmp/root", "overlay", MS_NOSUID | MS_NODEV, plain) != 0)
    csandbox_fail(report, "mount an overlay on", root);
  if (chdir("/tmp/root") != 0) csandbox_fail(report, "enter the root", root);
  if (syscall(SYS_pivot_root, ".", ".") != 0) csandbox_fail(report, "pivot to the root", root);
}

static void turn_root(struct sandbox *box) {
  const char *root = box->plan->root;
  if (box->plan->has_overlay) return turn_overlay(box);
  if (mount(root, root, NULL, MS_BIND | MS_REC, NULL) != 0)
    csandbox_fail(box->report, "bind the root", root);
  if (remount(root, MS_NOSUID | MS_NODEV) != 0)
    csandbox_fail(box->report, "remount the root", root);
  if (chdir(root) != 0) csandbox_fail(box->report, "enter the root", root);
  // The old root ends up on top of the new one, where "." still finds it, and names no longer do.
  if (syscall(SYS_pivot_root, ".", ".") != 0) csandbox_fail(box->report, "pivot to the root", root);
}

static void mount_devices(struct sandbox *box) {
  int report = box->report;
  const unsigned long plain = MS_NOSUID | MS_NOEXEC;
  if (mount("tmpfs", "/dev", "tmpfs", plain, "mode=0755,size=1m") != 0)
    csandbox_fail(report, "mount", "/dev");
  for (size_t i = 0; i < DEVICES; i++) {
    int file = open(devices[i], O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0666);
    if (file < 0) csandbox_fail(report, "create", devices[i]);
    close(file);
    if (place_tree(box->device_trees[i], devices[i]) != 0) csandbox_fail(report, "mount", devices[i]);
    close(box->device_trees[i]);
  }
  static const char *const links[][2] = {
      {"/proc/self/fd", "/dev/fd"},       {"/proc/self/fd/0", "/dev/stdin"},
      {"/proc/self/fd/1", "/dev/stdout"}, {"/proc/self/fd/2", "/dev/stderr"},
      {"pts/ptmx", "/dev/ptmx"},
  };
  for (size_t i = 0; i < sizeof links / sizeof *links; i++)
    if (symlink(links[i][0], links[i][1]) != 0) csandbox_fail(report, "link", links[i][1]);
  if (mkdir("/dev/pts", 0755) != 0) csandbox_fail(report, "create", "/dev/pts");
  if (mkdir("/dev/shm", 0755) != 0) csandbox_fail(report, "create", "/dev/shm");
  // Group 5 is "tty" in every Debian.
  if (mount("devpts", "/dev/pts", "devpts", plain, "newinstance,ptmxmode=0666,mode=0620,gid=5") != 0)
    csandbox_fail(report, "mount", "/dev/pts");
  if (mount("tmpfs", "/dev/shm", "tmpfs", plain | MS_NODEV, "mode=1777") != 0)
    csandbox_fail(report, "mount", "/dev/shm");
  if (mount(NULL, "/dev", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY | plain, NULL) != 0)
    csandbox_fail(report, "remount", "/dev");
}

/// Parts of /proc that belong to the machine, not to processes. Where our user 0 is the machine's,
/// only these mounts keep it from writing there.
static void guard_proc(struct sandbox *box) {
  static const char *const read_only[] = {"/proc/sys",  "/proc/sysrq-trigger", "/proc/irq",
                                          "/proc/bus",  "/proc/fs",            "/proc/acpi",
                                          "/proc/scsi", "/proc/driver",        "/proc/mtrr"};
  for (size_t i = 0; i < sizeof read_only / sizeof *read_only; i++) {
    const char *path = read_only[i];
    if (mount(path, path, NULL, MS_BIND | MS_REC, NULL) != 0) {
      if (errno == ENOENT) continue;
      csandbox_fail(box->report, "bind", path);
    }
    if (remount(path, MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC) != 0)
      csandbox_fail(box->report, "remount", path);
  }
  static const char *const hidden[] = {
      "/proc/kcore",      "/proc/keys",        "/proc/key-users",   "/proc/kmsg",
      "/proc/kallsyms",   "/proc/timer_list",  "/proc/sched_debug", "/proc/latency_stats",
      "/proc/kpagecount", "/proc/kpageflags",  "/proc/kpagecgroup", "/proc/vmallocinfo",
      "/proc/slabinfo",   "/proc/pagetypeinfo"};
  for (size_t i = 0; i < sizeof hidden / sizeof *hidden; i++)
    if (mount("/dev/null", hidden[i], NULL, MS_BIND, NULL) != 0 && errno != ENOENT)
      csandbox_fail(box->report, "hide", hidden[i]);
}

static void mount_folders(struct sandbox *box) {
  int report = box->report;
  const unsigned long plain = MS_NOSUID | MS_NODEV;
  if (mount("proc", "/proc", "proc", plain | MS_NOEXEC, NULL) != 0)
    csandbox_fail(report, "mount", "/proc");
  mount_devices(box);
  guard_proc(box);
  if (mount("tmpfs", "/sys", "tmpfs", plain | MS_NOEXEC | MS_RDONLY, "mode=0555,size=4k") != 0)
    csandbox_fail(report, "mount", "/sys");
  if (mount("tmpfs", "/tmp", "tmpfs", plain, "mode=1777") != 0)
    csandbox_fail(report, "mount", "/tmp");
  if (mount("tmpfs", "/run", "tmpfs", plain, "mode=0755") != 0)
    csandbox_fail(report, "mount", "/run");
  umask(0);
  if (mkdir("/run/lock", 01777) != 0) csandbox_fail(report, "create", "/run/lock");
  umask(022);
}

static void mount_binds(struct sandbox *box) {
  for (size_t i = 0; i < box->plan->bind_count; i++) {
    const struct csandbox_bind *bind = &box->plan->binds[i];
    if (place_tree(box->bind_trees[i], bind->target) != 0)
      csandbox_fail(box->report, "mount", bind->target);
    close(box->bind_trees[i]);
    unsigned long flags = MS_NOSUID | MS_NODEV | (bind->is_read_only ? MS_RDONLY : 0);
    if (remount(bind->target, flags) != 0) csandbox_fail(box->report, "remount", bind->target);
  }
}

/// Shows the host's name servers as /etc/resolv.conf, which exists or is a link into /run.
static void mount_resolver(struct sandbox *box) {
  static const char copy[] = "/run/resolv.conf";
  int file = open(copy, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0644);
  if (file < 0) csandbox_fail(box->report, "create", copy);
  const char *next = box->plan->resolver;
  size_t left = box->plan->resolver_length;
  while (left > 0) {
    ssize_t count = write(file, next, left);
    if (count <= 0) csandbox_fail(box->report, "write", copy);
    next += count;
    left -= (size_t)count;
  }
  close(file);
  static const char *const folders[] = {"/run/systemd", "/run/systemd/resolve"};
  for (size_t i = 0; i < 2; i++)
    if (mkdir(folders[i], 0755) != 0) csandbox_fail(box->report, "create", folders[i]);
  static const char *const stubs[] = {"/run/systemd/resolve/stub-resolv.conf",
                                      "/run/systemd/resolve/resolv.conf"};
  for (size_t i = 0; i < 2; i++)
    if (symlink(copy, stubs[i]) != 0) csandbox_fail(box->report, "link", stubs[i]);
  struct stat there, ours;
  if (stat("/etc/resolv.conf", &there) != 0) {
    if (errno == ENOENT) return;  // a link to elsewhere: nobody would look there
    csandbox_fail(box->report, "look at", "/etc/resolv.conf");
  }
  if (stat(copy, &ours) == 0 && there.st_ino == ours.st_ino && there.st_dev == ours.st_dev) return;
  if (mount(copy, "/etc/resolv.conf", NULL, MS_BIND, NULL) != 0 ||
      remount("/etc/resolv.conf", MS_RDONLY) != 0)
    csandbox_fail(box->report, "mount", "/etc/resolv.conf");
}

static void limit(struct sandbox *box) {
  struct rlimit none = {0, 0};
  if (setrlimit(RLIMIT_CORE, &none) != 0) csandbox_fail(box->report, "limit core files", NULL);
  struct rlimit files;
  if (getrlimit(RLIMIT_NOFILE, &files) != 0) csandbox_fail(box->report, "read limits", NULL);
  // Programs that close every descriptor that there may be take seconds under a high limit.
  if (files.rlim_max > 65536) files.rlim_max = 65536;
  files.rlim_cur = files.rlim_max < 1024 ? files.rlim_max : 1024;
  if (setrlimit(RLIMIT_NOFILE, &files) != 0) csandbox_fail(box->report, "limit files", NULL);
}

static int keeps(int capability) {
  for (size_t i = 0; i < sizeof kept_capabilities / sizeof *kept_capabilities; i++)
    if (kept_capabilities[i] == capability) return 1;
  return 0;
}

static void drop_capabilities(struct sandbox *box) {
  for (int capability = 0; capability < 64; capability++) {
    if (keeps(capability)) continue;
    if (prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) != 0 && errno != EINVAL)
      csandbox_fail(box->report, "drop capabilities", NULL);
  }
  if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) != 0)
    csandbox_fail(box->report, "clear ambient capabilities", NULL);
  if (csandbox_become(box->plan->uid, box->plan->gid, box->plan->groups, box->plan->group_count))
    csandbox_fail(box->report, "change the user", NULL);
  uint64_t bits = 0;
  if (box->plan->uid == 0)
    for (size_t i = 0; i < sizeof kept_capabilities / sizeof *kept_capabilities; i++)
      bits |= 1ULL << kept_capabilities[i];
  struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
  struct __user_cap_data_struct data[2];
  memset(data, 0, sizeof data);
  data[0].effective = data[0].permitted = (uint32_t)bits;
  data[1].effective = data[1].permitted = (uint32_t)(bits >> 32);
  if (syscall(SYS_capset, &header, data) != 0)
    csandbox_fail(box->report, "set capabilities", NULL);
}

static _Noreturn void command(struct sandbox *box) {
  const struct csandbox_plan *plan = box->plan;
  if (plan->has_terminal) {
    // Changing the foreground from the background would stop us.
    signal(SIGTTOU, SIG_IGN);
    if (setpgid(0, 0) != 0 || tcsetpgrp(0, getpid()) != 0)
      csandbox_fail(box->report, "take the terminal", NULL);
    signal(SIGTTOU, SIG_DFL);
  } else if (setsid() < 0) {
    csandbox_fail(box->report, "start a session", NULL);
  } else if (plan->has_own_terminal && ioctl(0, TIOCSCTTY, 0) != 0) {
    csandbox_fail(box->report, "take the terminal", NULL);
  }
  limit(box);
  umask(022);
  drop_capabilities(box);
  if (chdir(plan->folder) != 0) csandbox_fail(box->report, "enter", plan->folder);
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
    csandbox_fail(box->report, "give up privileges", NULL);
  struct sock_fprog program = {.len = (unsigned short)box->filter_length, .filter = box->filter};
  if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0) != 0)
    csandbox_fail(box->report, "filter system calls", NULL);
  int denied = 0;
  for (char *const *file = plan->programs; *file; file++) {
    execve(*file, plan->arguments, plan->environment);
    if (errno == EACCES) denied = 1;
    if (errno != ENOENT && errno != ENOTDIR && errno != EACCES) break;
    if (denied && errno != EACCES) errno = EACCES;
  }
  csandbox_fail(box->report, "execute", plan->arguments[0]);
}

/// The first process of the sandbox: makes it, starts the command, and buries the dead until the
/// command is among them. When it ends, the kernel kills whoever is left.
static _Noreturn void first(struct sandbox *box) {
  const struct csandbox_plan *plan = box->plan;
  int report = box->report;
  csandbox_reset_signals();
  const int streams[3] = {plan->input, plan->output, plan->errors};
  for (int i = 0; i < 3; i++)
    if (dup2(streams[i], i) != i) csandbox_fail(report, "place the streams", NULL);
  const int kept[] = {report, box->go};
  if (csandbox_close_others(kept, 2) != 0) csandbox_fail(report, "close files", NULL);
  if (csandbox_await_parent(box->go) != 0) csandbox_fail(report, "wait for the parent", NULL);
  close(box->go);
  if (!plan->has_terminal && setsid() < 0) csandbox_fail(report, "start a session", NULL);
  // The tree is the image's: whatever the caller's mask is, modes come out as written.
  umask(022);
  if (sethostname(plan->hostname, strlen(plan->hostname)) != 0)
    csandbox_fail(report, "name the host", plan->hostname);
  if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0)
    csandbox_fail(report, "make mounts private", NULL);
  collect(box);
  turn_root(box);
  mount_folders(box);
  mount_binds(box);
  if (plan->has_network) mount_resolver(box);
  if (umount2(".", MNT_DETACH) != 0) csandbox_fail(report, "let go of the host's files", NULL);
  if (chdir("/") != 0) csandbox_fail(report, "enter", "/");

  pid_t child = csandbox_clone(0);
  if (child == 0) command(box);
  if (child < 0) csandbox_fail(report, "fork", NULL);
  // Whoever waits for the end of the output must not wait for us.
  int null = open("/dev/null", O_RDWR | O_CLOEXEC);
  if (null < 0) csandbox_fail(report, "open", "/dev/null");
  for (int i = 0; i < 3; i++)
    if (dup2(null, i) != i) csandbox_fail(report, "place the streams", NULL);
  for (;;) {
    int status;
    pid_t ended = waitpid(-1, &status, 0);
    if (ended < 0 && errno == EINTR) continue;
    if (ended < 0) csandbox_fail(report, "wait for the command", NULL);
    if (ended != child) continue;
    struct csandbox_report message = {.kind = CSANDBOX_ENDED, .number = status};
    csandbox_send(report, &message);
    _exit(0);
  }
}

pid_t csandbox_start(const struct csandbox_plan *plan, int *report_out) {
  struct sandbox box = {.plan = plan};
  if (plan->bind_count > MOST_BINDS) {
    errno = E2BIG;
    return -1;
  }
  box.filter_length =
      csandbox_filter(box.filter, sizeof box.filter / sizeof *box.filter, plan->ignores_sync);
  if (box.filter_length > sizeof box.filter / sizeof *box.filter) {
    errno = E2BIG;
    return -1;
  }
  int report[2], go[2];
  if (pipe2(report, O_CLOEXEC) != 0) return -1;
  if (pipe2(go, O_CLOEXEC) != 0) {
    int number = errno;
    close(report[0]);
    close(report[1]);
    errno = number;
    return -1;
  }
  box.report = report[1];
  box.go = go[0];

  unsigned long flags = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWCGROUP;
  if (!plan->has_network) flags |= CLONE_NEWNET;
  sigset_t all, old;
  sigfillset(&all);
  // No handler of ours may run in the child.
  sigprocmask(SIG_SETMASK, &all, &old);
  pid_t pid = csandbox_clone(flags);
  if (pid == 0) first(&box);
  int number = errno;
  sigprocmask(SIG_SETMASK, &old, NULL);
  close(report[1]);
  // The reading end is closed last, so that writing to a dead child raises no signal.
  if (pid > 0 && csandbox_send_go(go[1]) != 0) {
    number = errno;
    kill(pid, SIGKILL);
    csandbox_wait(pid);
    pid = -1;
  }
  close(go[0]);
  close(go[1]);
  if (pid < 0) {
    close(report[0]);
    errno = number;
    return -1;
  }
  *report_out = report[0];
  return pid;
}
