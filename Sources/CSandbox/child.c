#include "child.h"
#include <linux/close_range.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <linux/openat2.h>

void csandbox_send(int report, const struct csandbox_report *message) {
  // Below PIPE_BUF: all of it or nothing.
  while (write(report, message, sizeof *message) < 0 && errno == EINTR) {
  }
}

static size_t append(char *text, size_t length, size_t room, const char *more) {
  while (*more && length + 1 < room) text[length++] = *more++;
  text[length] = 0;
  return length;
}

void csandbox_fail(int report, const char *operation, const char *name) {
  struct csandbox_report message = {.kind = CSANDBOX_FAILED, .number = errno};
  size_t length = append(message.operation, 0, sizeof message.operation, operation);
  if (name) {
    length = append(message.operation, length, sizeof message.operation, " '");
    length = append(message.operation, length, sizeof message.operation - 1, name);
    append(message.operation, length, sizeof message.operation, "'");
  }
  csandbox_send(report, &message);
  _exit(127);
}

int csandbox_read_report(int descriptor, struct csandbox_report *report) {
  ssize_t count;
  do count = read(descriptor, report, sizeof *report);
  while (count < 0 && errno == EINTR);
  if (count <= 0) return (int)count;
  if (count != sizeof *report) {
    errno = EPROTO;
    return -1;
  }
  report->operation[sizeof report->operation - 1] = 0;
  return 1;
}

void csandbox_reset_signals(void) {
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_handler = SIG_DFL;
  // Fails for KILL, STOP and the two that libc keeps: these cannot be changed by anyone.
  for (int number = 1; number <= 64; number++) sigaction(number, &action, NULL);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, NULL);
}

static int close_between(unsigned first, unsigned last) {
  if (first > last) return 0;
  if (syscall(SYS_close_range, first, last, 0) == 0) return 0;
  if (errno != ENOSYS) return -1;
  for (unsigned number = first; number <= last && number < 65536; number++) close((int)number);
  return 0;
}

int csandbox_close_others(const int *kept, size_t count) {
  unsigned next = 3;
  for (;;) {
    unsigned nearest = ~0U;
    for (size_t i = 0; i < count; i++)
      if (kept[i] >= 0 && (unsigned)kept[i] >= next && (unsigned)kept[i] < nearest)
        nearest = (unsigned)kept[i];
    if (nearest == ~0U) return close_between(next, ~0U);
    if (nearest > next && close_between(next, nearest - 1) != 0) return -1;
    next = nearest + 1;
  }
}

int csandbox_become(uid_t uid, gid_t gid, const gid_t *groups, size_t count) {
  if (syscall(SYS_setgroups, count, groups) != 0) return -1;
  if (syscall(SYS_setresgid, gid, gid, gid) != 0) return -1;
  return (int)syscall(SYS_setresuid, uid, uid, uid);
}

int csandbox_await_parent(int go) {
  if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) != 0) return -1;
  char byte;
  ssize_t count;
  do count = read(go, &byte, 1);
  while (count < 0 && errno == EINTR);
  if (count == 0) _exit(127);  // the parent died before it could be watched
  return count < 0 ? -1 : 0;
}

int csandbox_send_go(int go) {
  ssize_t count;
  do count = write(go, "", 1);
  while (count < 0 && errno == EINTR);
  return count == 1 ? 0 : -1;
}

int csandbox_die_with_parent(void) { return prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0); }

int csandbox_wait(pid_t pid) {
  int status;
  pid_t ended;
  do ended = waitpid(pid, &status, 0);
  while (ended < 0 && errno == EINTR);
  return ended < 0 ? -1 : status;
}

int csandbox_open_in_root(int folder, const char *path, int flags, mode_t mode) {
  struct open_how how = {
      .flags = (uint64_t)(unsigned)(flags | O_CLOEXEC),
      .mode = flags & O_CREAT ? mode : 0,
      .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
  };
  for (int attempt = 0;; attempt++) {
    long descriptor = syscall(SYS_openat2, folder, path, &how, sizeof how);
    // The kernel gives up when something is renamed meanwhile, anywhere.
    if (descriptor >= 0 || (errno != EAGAIN && errno != EINTR) || attempt == 1000)
      return (int)descriptor;
  }
}

int csandbox_file_of(const void *bytes, size_t count) {
  int file = memfd_create("input", MFD_CLOEXEC);
  if (file < 0) return -1;
  const char *next = bytes;
  while (count > 0) {
    ssize_t written = write(file, next, count);
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) goto failed;
    next += written;
    count -= (size_t)written;
  }
  if (lseek(file, 0, SEEK_SET) == 0) return file;
failed:;
  int number = errno;
  close(file);
  errno = number;
  return -1;
}

char *const *csandbox_environment(void) { return environ; }

int csandbox_terminal(unsigned short rows, unsigned short columns, int ends[2]) {
  struct winsize size = {.ws_row = rows, .ws_col = columns};
  char name[64];
  int ours = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
  if (ours < 0) return -1;
  int theirs = -1;
  if (grantpt(ours) == 0 && unlockpt(ours) == 0 && ptsname_r(ours, name, sizeof name) == 0 &&
      ioctl(ours, TIOCSWINSZ, &size) == 0)
    theirs = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
  if (theirs < 0) {
    int number = errno;
    close(ours);
    errno = number;
    return -1;
  }
  ends[0] = ours;
  ends[1] = theirs;
  return 0;
}

int csandbox_pipe(int ends[2]) { return pipe2(ends, O_CLOEXEC); }
