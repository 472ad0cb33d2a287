internal import CTerminal
internal import Glibc

/// Keeps other processes of the same user, such as the programs that we run, from reading this process's
/// memory and environment.
public func hideMemory() { _ = cterminal_hide_memory() }

/// The file that this program was started from, also when it was found through a link.
public func pathOfThisProgram() -> String? {
  var buffer = [CChar](repeating: 0, count: 4096)
  let count = readlink("/proc/self/exe", &buffer, buffer.count)
  return count > 0
    ? String(decoding: buffer[..<count].map(UInt8.init(bitPattern:)), as: UTF8.self) : nil
}

/// Waits for a hundredth of a second, in a thread that may block.
public func nap() { usleep(10_000) }
