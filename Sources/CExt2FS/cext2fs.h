#pragma once
#include <errno.h>
#include <ext2fs/ext2fs.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

// An I/O manager on a descriptor that the caller keeps: the library's own syncs on every open, keeps
// a cache and opens the file again by name. The channel's name is the descriptor in decimal.

static int cext2fs_descriptor(io_channel channel) {
  return (int)(long)channel->private_data;
}

static errcode_t cext2fs_write_byte(
    io_channel channel, unsigned long offset, int count, const void *data) {
  const char *bytes = data;
  while (count > 0) {
    ssize_t written = pwrite(cext2fs_descriptor(channel), bytes, count, offset);
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return written < 0 ? errno : EXT2_ET_SHORT_WRITE;
    bytes += written, offset += written, count -= written;
  }
  return 0;
}

static errcode_t cext2fs_read_blk64(
    io_channel channel, unsigned long long block, int count, void *data) {
  size_t left = count < 0 ? (size_t)-count : (size_t)count * channel->block_size;
  off_t offset = (off_t)block * channel->block_size;
  char *bytes = data;
  while (left > 0) {
    ssize_t got = pread(cext2fs_descriptor(channel), bytes, left, offset);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return got < 0 ? errno : EXT2_ET_SHORT_READ;
    bytes += got, offset += got, left -= got;
  }
  return 0;
}

static errcode_t cext2fs_write_blk64(
    io_channel channel, unsigned long long block, int count, const void *data) {
  return cext2fs_write_byte(
      channel, (unsigned long)(block * channel->block_size),
      count < 0 ? -count : count * channel->block_size, data);
}

static errcode_t cext2fs_read_blk(io_channel channel, unsigned long block, int count, void *data) {
  return cext2fs_read_blk64(channel, block, count, data);
}

static errcode_t cext2fs_write_blk(
    io_channel channel, unsigned long block, int count, const void *data) {
  return cext2fs_write_blk64(channel, block, count, data);
}

static errcode_t cext2fs_set_blksize(io_channel channel, int size) {
  channel->block_size = size;
  return 0;
}

static errcode_t cext2fs_flush(io_channel channel) { return 0; }

static errcode_t cext2fs_close(io_channel channel) {
  if (--channel->refcount > 0) return 0;
  free(channel->name);
  free(channel);
  return 0;
}

static errcode_t cext2fs_open(const char *name, int flags, io_channel *result);

static inline io_manager cext2fs_manager(void) {
  static struct struct_io_manager manager = {
      .magic = EXT2_ET_MAGIC_IO_MANAGER,
      .name = "I/O on a descriptor",
      .open = cext2fs_open,
      .close = cext2fs_close,
      .set_blksize = cext2fs_set_blksize,
      .read_blk = cext2fs_read_blk,
      .write_blk = cext2fs_write_blk,
      .flush = cext2fs_flush,
      .write_byte = cext2fs_write_byte,
      .read_blk64 = cext2fs_read_blk64,
      .write_blk64 = cext2fs_write_blk64,
  };
  return &manager;
}

static errcode_t cext2fs_open(const char *name, int flags, io_channel *result) {
  io_channel channel = calloc(1, sizeof *channel);
  if (!channel) return ENOMEM;
  channel->magic = EXT2_ET_MAGIC_IO_CHANNEL;
  channel->manager = cext2fs_manager();
  channel->name = strdup(name);
  channel->block_size = 1024;
  channel->refcount = 1;
  channel->private_data = (void *)atol(name);
  *result = channel;
  return 0;
}

// An I/O manager that never writes: what would change is kept in memory, a page of 4096 bytes at a time,
// and read back from there. The channel's name is the address of a `cext2fs_patch` in decimal.

enum { cext2fs_page_size = 4096 };

struct cext2fs_patch {
  int base;
  unsigned long page_count;
  // One for each page of the base, NULL where it is unchanged; each is freed by the owner.
  unsigned char **pages;
};

static struct cext2fs_patch *cext2fs_patch_of(io_channel channel) { return channel->private_data; }

// Reads a page of the base; what lies behind its end is zero.
static errcode_t cext2fs_read_base(int base, unsigned long page, unsigned char *bytes) {
  size_t done = 0;
  while (done < cext2fs_page_size) {
    ssize_t got = pread(
        base, bytes + done, cext2fs_page_size - done, (off_t)page * cext2fs_page_size + done);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return errno;
    if (got == 0) break;
    done += got;
  }
  memset(bytes + done, 0, cext2fs_page_size - done);
  return 0;
}

// Copies between the image and `bytes`, into the image where `writes`.
static errcode_t cext2fs_patch_copy(
    struct cext2fs_patch *patch, off_t offset, size_t count, char *bytes, int writes) {
  unsigned char unchanged[cext2fs_page_size];
  while (count > 0) {
    unsigned long page = offset / cext2fs_page_size;
    size_t at = offset % cext2fs_page_size;
    size_t piece = cext2fs_page_size - at < count ? cext2fs_page_size - at : count;
    if (page >= patch->page_count) return writes ? EXT2_ET_SHORT_WRITE : EXT2_ET_SHORT_READ;
    unsigned char *found = patch->pages[page];
    if (!found) {
      found = writes ? (unsigned char *)malloc(cext2fs_page_size) : unchanged;
      if (!found) return ENOMEM;
      errcode_t code = cext2fs_read_base(patch->base, page, found);
      if (code) {
        if (writes) free(found);
        return code;
      }
      if (writes) patch->pages[page] = found;
    }
    if (writes) memcpy(found + at, bytes, piece);
    else memcpy(bytes, found + at, piece);
    bytes += piece, offset += piece, count -= piece;
  }
  return 0;
}

static size_t cext2fs_size_of(io_channel channel, int count) {
  return count < 0 ? (size_t)-count : (size_t)count * channel->block_size;
}

static errcode_t cext2fs_patch_read_blk64(
    io_channel channel, unsigned long long block, int count, void *data) {
  return cext2fs_patch_copy(
      cext2fs_patch_of(channel), (off_t)block * channel->block_size,
      cext2fs_size_of(channel, count), data, 0);
}

static errcode_t cext2fs_patch_write_blk64(
    io_channel channel, unsigned long long block, int count, const void *data) {
  return cext2fs_patch_copy(
      cext2fs_patch_of(channel), (off_t)block * channel->block_size,
      cext2fs_size_of(channel, count), (char *)data, 1);
}

static errcode_t cext2fs_patch_read_blk(
    io_channel channel, unsigned long block, int count, void *data) {
  return cext2fs_patch_read_blk64(channel, block, count, data);
}

static errcode_t cext2fs_patch_write_blk(
    io_channel channel, unsigned long block, int count, const void *data) {
  return cext2fs_patch_write_blk64(channel, block, count, data);
}

static errcode_t cext2fs_patch_write_byte(
    io_channel channel, unsigned long offset, int count, const void *data) {
  return cext2fs_patch_copy(cext2fs_patch_of(channel), offset, count, (char *)data, 1);
}

static errcode_t cext2fs_patch_open(const char *name, int flags, io_channel *result);

static inline io_manager cext2fs_patch_manager(void) {
  static struct struct_io_manager manager = {
      .magic = EXT2_ET_MAGIC_IO_MANAGER,
      .name = "changes kept in memory",
      .open = cext2fs_patch_open,
      .close = cext2fs_close,
      .set_blksize = cext2fs_set_blksize,
      .read_blk = cext2fs_patch_read_blk,
      .write_blk = cext2fs_patch_write_blk,
      .flush = cext2fs_flush,
      .write_byte = cext2fs_patch_write_byte,
      .read_blk64 = cext2fs_patch_read_blk64,
      .write_blk64 = cext2fs_patch_write_blk64,
  };
  return &manager;
}

static errcode_t cext2fs_patch_open(const char *name, int flags, io_channel *result) {
  errcode_t code = cext2fs_open(name, flags, result);
  if (!code) (*result)->manager = cext2fs_patch_manager();
  return code;
}
