import Benchmark
import Content
import Foundation
import Imaging
import Model
import SystemPackage
import Verifying

let benchmarks: @Sendable () -> Void = {
  Benchmark.defaultConfiguration = .init(
    metrics: [.wallClock, .cpuTotal, .peakMemoryResident],
    // Once each where it is only to be seen that they work.
    maxDuration: .seconds(5), maxIterations: isShort ? 1 : 20)
  let mebibyte = 1 << 20

  Benchmark("hasher: SHA-256 of 64 MiB") { benchmark in
    let bytes = sample(of: 64 * mebibyte)
    benchmark.startMeasurement()
    for _ in benchmark.scaledIterations { blackHole(ContentHash(of: bytes)) }
    benchmark.stopMeasurement()
  }

  Benchmark("zstd: compress 16 MiB, level 3") { benchmark in
    let bytes = sample(of: 16 * mebibyte)
    benchmark.startMeasurement()
    for _ in benchmark.scaledIterations { blackHole(try Zstd.compress(bytes)) }
    benchmark.stopMeasurement()
  }

  Benchmark("zstd: decompress 16 MiB") { benchmark in
    let packed = try Zstd.compress(sample(of: 16 * mebibyte))
    benchmark.startMeasurement()
    for _ in benchmark.scaledIterations {
      blackHole(try Zstd.decompress(packed, limit: 16 * mebibyte))
    }
    benchmark.stopMeasurement()
  }

  // As secrets are searched for in every image: names and beginnings of keys, none of which is there.
  Benchmark("scanner: 64 MiB for 20 patterns") { benchmark in
    let bytes = sample(of: 64 * mebibyte)
    let scanner = PatternScanner((0..<20).map { Array("a secret's name \($0)".utf8) })
    benchmark.startMeasurement()
    for _ in benchmark.scaledIterations {
      var found = 0
      bytes.withUnsafeBytes { bytes in scanner.scan(bytes) { _, _ in found += 1 } }
      blackHole(found)
    }
    benchmark.stopMeasurement()
  }

  for compression in ["none", "zstd", "xz"] {
    Benchmark("unpacker: a tar of 1,000 files in 64 MiB, \(compression)") { benchmark in
      try Samples.shared.withTar(compression) { tar in
        benchmark.startMeasurement()
        for _ in benchmark.scaledIterations { blackHole(try contentSize(of: tar)) }
        benchmark.stopMeasurement()
      }
    }
  }

  Benchmark("writer: scan 10,000 files") { benchmark in
    try Samples.shared.withTree(files: 10_000, size: 100) { tree in
      benchmark.startMeasurement()
      for _ in benchmark.scaledIterations { blackHole(try scanTree(of: tree)) }
      benchmark.stopMeasurement()
    }
  }

  Benchmark("reader: an image of 10,000 files") { benchmark in
    try Samples.shared.withTree(files: 10_000, size: 100) { folder in
      let image = folder.removingLastComponent().appending("image.ext4")
      let options = ImageOptions(size: 1 << 30, identity: "benchmark", epoch: 0)
      _ = try writeImage(of: try scanTree(of: folder), to: image, options: options)
      benchmark.startMeasurement()
      for _ in benchmark.scaledIterations { blackHole(try readImage(at: image)) }
      benchmark.stopMeasurement()
    }
  }

  for (files, size) in [(1_000, 64 << 10), (10_000, 100)] {
    Benchmark("writer: an image of \(files) files of \(size) bytes") { benchmark in
      try Samples.shared.withTree(files: files, size: size) { folder in
        let tree = try scanTree(of: folder)
        let image = folder.removingLastComponent().appending("image.ext4")
        let options = ImageOptions(size: 1 << 30, identity: "benchmark", epoch: 0)
        benchmark.startMeasurement()
        for _ in benchmark.scaledIterations {
          blackHole(try writeImage(of: tree, to: image, options: options))
          benchmark.stopMeasurement()
          try removeTree(image)
          benchmark.startMeasurement()
        }
        benchmark.stopMeasurement()
      }
    }
  }
}

/// Whether `Benchmarks/run --short` asks.
private let isShort = ProcessInfo.processInfo.environment["BENCHMARK_SHORT"] != nil

/// Reads every byte of every member, as an unpacker does; gives how many there are.
private func contentSize(of tar: FilePath) throws -> Int {
  var reader = try ArchiveReader.open(tar)
  var size = 0
  while try reader.next() != nil {
    try reader.forEachBlock { _, bytes in size += bytes.count }
  }
  return size
}
