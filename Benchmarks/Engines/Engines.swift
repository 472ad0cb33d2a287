import Benchmark
import Content
import Imaging
import Model
import SystemPackage

let benchmarks: @Sendable () -> Void = {
  Benchmark.defaultConfiguration = .init(
    metrics: [.wallClock, .cpuTotal, .peakMemoryResident],
    maxDuration: .seconds(5), maxIterations: 20)
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

/// Reads every byte of every member, as an unpacker does; gives how many there are.
private func contentSize(of tar: FilePath) throws -> Int {
  var reader = try ArchiveReader.open(tar)
  var size = 0
  while try reader.next() != nil {
    try reader.forEachBlock { _, bytes in size += bytes.count }
  }
  return size
}
