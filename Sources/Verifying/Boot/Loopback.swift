#if canImport(Glibc)
  internal import Glibc
#endif

/// A connection to a port of this machine's loopback address, with a limit for each wait.
struct LoopbackStream: ~Copyable {
  private let descriptor: Int32

  /// - Returns: nil when nobody listens.
  init?(port: UInt16, patience seconds: Int) {
    let number = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    guard number >= 0 else { return nil }
    var limit = timeval(tv_sec: seconds, tv_usec: 0)
    setsockopt(number, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
    setsockopt(number, SOL_SOCKET, SO_SNDTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
    var address = loopback(port)
    let code = withUnsafePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        connect(number, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
    guard code == 0 else {
      close(number)
      return nil
    }
    descriptor = number
  }

  func send(_ bytes: [UInt8]) -> Bool {
    var done = 0
    while done < bytes.count {
      let count = bytes.withUnsafeBytes {
        Glibc.send(
          descriptor, $0.baseAddress?.advanced(by: done), bytes.count - done,
          Int32(MSG_NOSIGNAL))
      }
      guard count > 0 else { return false }
      done += count
    }
    return true
  }

  /// Exactly so many bytes; nil when the other side ends or says nothing for too long.
  func receive(_ count: Int) -> [UInt8]? {
    var bytes = [UInt8](repeating: 0, count: count)
    var done = 0
    while done < count {
      let got = bytes.withUnsafeMutableBytes {
        recv(descriptor, $0.baseAddress?.advanced(by: done), count - done, 0)
      }
      guard got > 0 else { return nil }
      done += got
    }
    return bytes
  }

  /// All that comes until the other side ends, up to a limit.
  func receiveAll(limit: Int = 1 << 16) -> [UInt8] {
    var bytes: [UInt8] = []
    var piece = [UInt8](repeating: 0, count: 4096)
    while bytes.count < limit {
      let got = recv(descriptor, &piece, piece.count, 0)
      guard got > 0 else { break }
      bytes += piece[..<got]
    }
    return bytes
  }

  deinit { close(descriptor) }
}

private func loopback(_ port: UInt16) -> sockaddr_in {
  var address = sockaddr_in()
  address.sin_family = sa_family_t(AF_INET)
  address.sin_port = port.bigEndian
  address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
  return address
}

/// Ports of the loopback address that are free now, no two the same: all are held until the last is found.
func freePorts(_ count: Int) throws -> [UInt16] {
  var held: [Int32] = []
  defer { held.forEach { close($0) } }
  return try (0..<count).map { _ in
    let number = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    held.append(number)
    var address = loopback(0)
    var size = socklen_t(MemoryLayout<sockaddr_in>.size)
    let code = withUnsafeMutablePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
        bind(number, address, size) == 0 ? getsockname(number, address, &size) : -1
      }
    }
    guard code == 0 else { throw NotJudged("there is no free port here") }
    return UInt16(bigEndian: address.sin_port)
  }
}

/// The status of an HTTP answer to a GET; nil when there is none.
func status(ofGet path: String, port: UInt16, token: String, patience: Int) -> Int? {
  guard let stream = LoopbackStream(port: port, patience: patience) else { return nil }
  let request =
    "GET \(path) HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer \(token)\r\nConnection: close\r\n\r\n"
  guard stream.send(Array(request.utf8)) else { return nil }
  let words = String(decoding: stream.receiveAll(), as: UTF8.self).split(
    separator: " ", maxSplits: 2)
  guard words.count > 1, words[0].hasPrefix("HTTP/1") else { return nil }
  return Int(words[1])
}

/// The picture that a VNC server shows. Source: RFC 6143, "The Remote Framebuffer Protocol".
func picture(ofVNC port: UInt16, patience: Int) -> Picture? {
  guard let stream = LoopbackStream(port: port, patience: patience),
    let greeting = stream.receive(12), greeting.starts(with: Array("RFB 003.00".utf8)),
    stream.send(Array("RFB 003.008\n".utf8)),
    let count = stream.receive(1), count[0] > 0,
    let kinds = stream.receive(Int(count[0])), kinds.contains(1),
    stream.send([1]), stream.receive(4) == [0, 0, 0, 0],
    stream.send([1]), let start = stream.receive(24)
  else { return nil }
  func number(_ bytes: some Collection<UInt8>) -> Int { bytes.reduce(0) { $0 << 8 | Int($1) } }
  let (width, height) = (number(start[0..<2]), number(start[2..<4]))
  guard stream.receive(number(start[20..<24])) != nil, width > 0, height > 0,
    width * height < 1 << 25
  else { return nil }
  // Four bytes a pixel, blue first; encoded as they are.
  let format: [UInt8] = [0, 0, 0, 0, 32, 24, 0, 1, 0, 255, 0, 255, 0, 255, 16, 8, 0, 0, 0, 0]
  guard stream.send(format), stream.send([2, 0, 0, 1, 0, 0, 0, 0]),
    stream.send(
      [3, 0, 0, 0, 0, 0] + [width >> 8, width, height >> 8, height].map { UInt8($0 & 0xFF) })
  else { return nil }
  var picture = Picture(
    width: width, height: height, pixels: [UInt8](repeating: 0, count: width * height * 3))
  var left = width * height
  while left > 0 {
    guard let head = stream.receive(4), head[0] == 0 else { return nil }
    for _ in 0..<number(head[2..<4]) {
      guard let box = stream.receive(12), number(box[8..<12]) == 0 else { return nil }
      let (x, y) = (number(box[0..<2]), number(box[2..<4]))
      let (w, h) = (number(box[4..<6]), number(box[6..<8]))
      guard x + w <= width, y + h <= height, let bytes = stream.receive(w * h * 4) else {
        return nil
      }
      for row in 0..<h {
        for column in 0..<w {
          let from = (row * w + column) * 4
          let to = ((y + row) * width + x + column) * 3
          picture.pixels[to] = bytes[from + 2]
          picture.pixels[to + 1] = bytes[from + 1]
          picture.pixels[to + 2] = bytes[from]
        }
      }
      left -= w * h
    }
  }
  return picture
}
