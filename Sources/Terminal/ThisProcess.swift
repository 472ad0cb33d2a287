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

/// What of our own environment the programs that we start shall have, too: the way to the network.
public func inheritedEnvironment() -> [String: String] {
  let names = ["ALL_PROXY", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "SSL_CERT_FILE", "TZ"]
  var variables: [String: String] = [:]
  for name in names + names.map({ $0.lowercased() }) {
    if let value = getenv(name) { variables[name] = String(cString: value) }
  }
  return variables
}
