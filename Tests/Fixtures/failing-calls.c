// A library to preload: counts the calls of a program that work below given folders, and makes one of
// them fail, or be the last. Unlike a tracer it counts over all threads, and only what matters.
//
// FAULT_PROGRAM  the file of the program that is meant; its children are left alone
// FAULT_PLACES   folders, with ':' between; calls on other paths are not counted
// FAULT_LOG      gets a line per counted call (without FAULT_AT), or one for the call that was hit
// FAULT_AT       the number of the call, from 1 on; none: only count
// FAULT_DO       KILL (before the call), or the number of an error that the call gives
// FAULT_CHANGES  when set, only calls that change something count, and starting a program is one of them
// FAULT_STAYS    when set, all later counted calls that change anything fail alike: a disk that stays full
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

static atomic_int count;
static int is_ours, at, stays, changes_only, fault;
static const char *places, *log_path;

__attribute__((constructor)) static void prepare(void) {
  char self[PATH_MAX];
  ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);
  const char *program = getenv("FAULT_PROGRAM");
  places = getenv("FAULT_PLACES");
  log_path = getenv("FAULT_LOG");
  if (length < 0 || !program || !places || !log_path) return;
  self[length] = 0;
  if (strcmp(self, program) != 0) return;
  at = getenv("FAULT_AT") ? atoi(getenv("FAULT_AT")) : 0;
  stays = getenv("FAULT_STAYS") != NULL;
  changes_only = getenv("FAULT_CHANGES") != NULL;
  const char *what = getenv("FAULT_DO");
  fault = what && strcmp(what, "KILL") != 0 ? atoi(what) : 0;
  is_ours = 1;
}

static int is_below(const char *path) {
  for (const char *place = places; *place;) {
    size_t length = strcspn(place, ":");
    if (strncmp(path, place, length) == 0 && (path[length] == '/' || path[length] == 0)) return 1;
    place += length + (place[length] == ':');
  }
  return 0;
}

static void tell(int number, const char *name, const char *path) {
  char line[PATH_MAX + 64];
  int length = snprintf(line, sizeof line, "%d %s %s\n", number, name, path);
  int log = open(log_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  if (log >= 0 && length > 0) {
    ssize_t ignored = write(log, line, (size_t)length);
    (void)ignored;
  }
  if (log >= 0) close(log);
}

// Whether the call shall fail; errno is set then. `changes`: 0 it only looks, 1 it may need room on the disk, 2 it
// changes something without.
static int fails(const char *name, const char *path, int changes) {
  if (!is_ours || (changes_only && !changes) || !path || !is_below(path)) return 0;
  int number = atomic_fetch_add(&count, 1) + 1;
  if (!at) {
    tell(number, name, path);
    return 0;
  }
  if (number < at || (number > at && !(stays && fault && changes == 1))) return 0;
  if (number == at) {
    tell(number, name, path);
    if (!fault) kill(getpid(), SIGKILL);
  }
  errno = fault;
  return 1;
}

#define REAL(name) ((typeof(&name))dlsym(RTLD_NEXT, #name))

static int file_fails(const char *name, int file, int changes) {
  if (!is_ours) return 0;
  char link[64], path[PATH_MAX];
  snprintf(link, sizeof link, "/proc/self/fd/%d", file);
  int before = errno;
  ssize_t length = REAL(readlink)(link, path, sizeof path - 1);
  errno = before;
  if (length < 0) return 0;
  path[length] = 0;
  return fails(name, path, changes);
}

#define ON_PATH(name, changes, path, parameters, arguments) \
  int name parameters {                                     \
    if (fails(#name, path, changes)) return -1;             \
    return REAL(name) arguments;                            \
  }
#define ON_FILE(type, name, changes, file, parameters, arguments) \
  type name parameters {                                          \
    if (file_fails(#name, file, changes)) return -1;              \
    return REAL(name) arguments;                                  \
  }

#define OPEN(name)                                                     \
  int name(const char *path, int flags, ...) {                         \
    va_list list;                                                      \
    va_start(list, flags);                                             \
    mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(list, mode_t) : 0; \
    va_end(list);                                                      \
    if (fails("open", path, (flags & O_CREAT) != 0)) return -1;        \
    return REAL(name)(path, flags, mode);                              \
  }
OPEN(open)
OPEN(open64)
ON_PATH(mkdir, 1, path, (const char *path, mode_t mode), (path, mode))
ON_PATH(chmod, 1, path, (const char *path, mode_t mode), (path, mode))
ON_PATH(unlink, 2, path, (const char *path), (path))
ON_PATH(rmdir, 2, path, (const char *path), (path))
ON_PATH(rename, 1, to, (const char *from, const char *to), (from, to))
ON_PATH(symlink, 1, path, (const char *target, const char *path), (target, path))
ON_PATH(link, 1, to, (const char *from, const char *to), (from, to))
ON_PATH(
    renameat2, 1, to, (int a, const char *from, int b, const char *to, unsigned flags),
    (a, from, b, to, flags))
ON_PATH(stat, 0, path, (const char *path, struct stat *facts), (path, facts))
ON_PATH(lstat, 0, path, (const char *path, struct stat *facts), (path, facts))
ON_FILE(int, fstat, 0, file, (int file, struct stat *facts), (file, facts))
ON_FILE(ssize_t, read, 0, file, (int file, void *bytes, size_t size), (file, bytes, size))

ssize_t readlink(const char *path, char *target, size_t size) {
  if (fails("readlink", path, 0)) return -1;
  return REAL(readlink)(path, target, size);
}

int fcntl(int file, int command, ...) {
  va_list list;
  va_start(list, command);
  void *argument = va_arg(list, void *);
  va_end(list);
  if (file_fails("fcntl", file, 0)) return -1;
  return REAL(fcntl)(file, command, argument);
}
// Waiting for the disk shows nothing here: what a killed process wrote is there all the same.
#define FLUSH(name)                            \
  int name(int file) {                         \
    if (file_fails(#name, file, 1)) return -1; \
    return is_ours ? 0 : REAL(name)(file);     \
  }
FLUSH(fsync)
FLUSH(fdatasync)
ON_FILE(int, fchmod, 1, file, (int file, mode_t mode), (file, mode))
ON_FILE(int, ftruncate, 1, file, (int file, off_t size), (file, size))
ON_FILE(int, flock, 2, file, (int file, int how), (file, how))
ON_FILE(ssize_t, write, 1, file, (int file, const void *bytes, size_t size), (file, bytes, size))
ON_FILE(
    ssize_t, pwrite, 1, file, (int file, const void *bytes, size_t size, off_t where),
    (file, bytes, size, where))
ON_FILE(
    ssize_t, pwrite64, 1, file, (int file, const void *bytes, size_t size, off64_t where),
    (file, bytes, size, where))
ON_FILE(
    ssize_t, writev, 1, file, (int file, const struct iovec *pieces, int number),
    (file, pieces, number))

int posix_spawnp(
    pid_t *process, const char *file, const posix_spawn_file_actions_t *actions,
    const posix_spawnattr_t *attributes, char *const arguments[], char *const environment[]) {
  // The first place stands for it.
  char place[PATH_MAX];
  if (is_ours && changes_only) {
    snprintf(place, sizeof place, "%.*s", (int)strcspn(places, ":"), places);
    if (fails("posix_spawnp", place, 2)) return errno;
  }
  return REAL(posix_spawnp)(process, file, actions, attributes, arguments, environment);
}
