// Calls of Linux that the C library declares only under _GNU_SOURCE, which Swift does not set.
#pragma once

// fcntl(2): locks that belong to an open file description.
enum { clinux_ofd_setlk = 37, clinux_ofd_setlkw = 38 };

extern int renameat2(int, const char *, int, const char *, unsigned int);

// Renames and fails with EEXIST where the new name exists, even as an empty folder.
static inline int clinux_rename_new(const char *from, const char *to) {
  return renameat2(-100 /* AT_FDCWD */, from, -100, to, 1 /* RENAME_NOREPLACE */);
}
