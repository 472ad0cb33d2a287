#pragma once
#include <lzma.h>

/// Prepares a stream for reading xz on several threads; before liblzma 5.4 on one.
///
/// Blocks are decoded beside each other as far as `memory_of_threads` allows. Nothing is read that needs more
/// than `most_memory`.
static inline lzma_ret clzma_start_reading(
    lzma_stream *stream, uint32_t threads, uint64_t memory_of_threads, uint64_t most_memory) {
#if LZMA_VERSION >= 50040002
  lzma_mt options = {0};
  options.flags = LZMA_CONCATENATED;
  options.threads = threads;
  options.memlimit_threading = memory_of_threads;
  options.memlimit_stop = most_memory;
  return lzma_stream_decoder_mt(stream, &options);
#else
  (void)threads;
  (void)memory_of_threads;
  return lzma_stream_decoder(stream, most_memory, LZMA_CONCATENATED);
#endif
}
