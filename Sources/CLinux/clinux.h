// Calls of Linux that the C library declares only under _GNU_SOURCE, which Swift does not set.
#pragma once
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

// fcntl(2): locks that belong to an open file description.
enum { clinux_ofd_setlk = 37, clinux_ofd_setlkw = 38 };

extern int renameat2(int, const char *, int, const char *, unsigned int);

// Renames and fails with EEXIST where the new name exists, even as an empty folder.
static inline int clinux_rename_new(const char *from, const char *to) {
  return renameat2(-100 /* AT_FDCWD */, from, -100, to, 1 /* RENAME_NOREPLACE */);
}

// lseek(2): where the next data or the next hole of a file starts.
enum { clinux_seek_data = 3, clinux_seek_hole = 4 };

// Asks the kernel to begin writing a range of a file to the disk, and does not wait.
static inline void clinux_start_writeback(int file, long offset, long length) {
#ifdef SYS_sync_file_range
  syscall(SYS_sync_file_range, file, offset, length, 2 /* SYNC_FILE_RANGE_WRITE */);
#endif
}
