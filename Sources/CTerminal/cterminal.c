#define _GNU_SOURCE
#include "cterminal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

int cterminal_open(char *path, size_t capacity, unsigned short rows, unsigned short columns) {
  int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
  if (master < 0) return -1;
  int error = 0;
  if (grantpt(master) != 0 || unlockpt(master) != 0) error = errno;
  if (error == 0) error = ptsname_r(master, path, capacity);
  if (error == 0 && cterminal_resize(master, rows, columns) != 0) error = errno;
  if (error == 0) return master;
  close(master);
  errno = error;
  return -1;
}

int cterminal_pipe(int ends[2]) { return pipe2(ends, O_CLOEXEC); }

int cterminal_resize(int master, unsigned short rows, unsigned short columns) {
  struct winsize size = {.ws_row = rows, .ws_col = columns};
  return ioctl(master, TIOCSWINSZ, &size);
}

int cterminal_watch_child(pid_t child) {
#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434 /* the same number on every architecture */
#endif
  return (int)syscall(SYS_pidfd_open, child, 0); /* the C library has a wrapper from 2.36 on only */
}

int cterminal_event_counter(void) { return eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK); }

int cterminal_start_in(posix_spawn_file_actions_t *actions, const char *folder) {
  return posix_spawn_file_actions_addchdir_np(actions, folder);
}

int cterminal_close_from(posix_spawn_file_actions_t *actions, int first) {
  return posix_spawn_file_actions_addclosefrom_np(actions, first);
}

int cterminal_hide_memory(void) { return prctl(PR_SET_DUMPABLE, 0, 0, 0, 0); }
