/// Writes an archive that Linux unpacks as its first root. Source: the kernel's
/// "initramfs buffer format", `newc`.
struct CpioWriter {
  private(set) var bytes: [UInt8] = []
  private var inode = 1

  mutating func folder(_ path: String) { add(path, mode: 0o040755, []) }

  mutating func file(_ path: String, _ content: [UInt8], mode: Int = 0o755) {
    add(path, mode: 0o100000 | mode, content)
  }

  mutating func link(_ path: String, to target: String) {
    add(path, mode: 0o120777, Array(target.utf8))
  }

  mutating func finish() -> [UInt8] {
    add("TRAILER!!!", mode: 0, [])
    return bytes
  }

  private mutating func add(_ path: String, mode: Int, _ content: [UInt8]) {
    let name = Array(path.utf8) + [0]
    let fields = [inode, mode, 0, 0, 1, 0, content.count, 0, 0, 0, 0, name.count, 0]
    inode += 1
    bytes += Array("070701".utf8)
    for field in fields {
      let digits = String(field, radix: 16, uppercase: true)
      bytes += Array((String(repeating: "0", count: 8 - digits.count) + digits).utf8)
    }
    bytes += name
    pad()
    bytes += content
    pad()
  }

  private mutating func pad() { while bytes.count % 4 != 0 { bytes.append(0) } }
}
