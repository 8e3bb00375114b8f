import Glibc

/// One open file descriptor; closes itself. Blocking calls: never on the cooperative pool's threads in a hurry.
struct Descriptor: ~Copyable {
  let number: Int32

  deinit { _ = close(number) }

  /// Opens a directory; a link at the end of `path` is followed, for it is the operator's own choice.
  static func directory(_ path: String) throws(ProvenanceFault) -> Descriptor {
    let number = unsafe open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard number >= 0 else { throw .system("open directory", path) }
    return Descriptor(number: number)
  }

  /// Opens `name` in this directory for reading, whatever it is, but not through a symbolic link.
  ///
  /// Does not wait for the other end of a pipe.
  func openEntry(_ name: String, shown: String) throws(ProvenanceFault) -> Descriptor {
    let entry = unsafe openat(number, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | O_NOCTTY)
    guard entry >= 0 else {
      if errno == ELOOP {
        throw ProvenanceFault(
          .notAFile, path: shown, "\(shown) is a symbolic link", remedy: "put a copy of the file in its place")
      }
      if errno == ENXIO {
        throw ProvenanceFault(.notAFile, path: shown, "\(shown) is a socket or a dead device", remedy: "remove it")
      }
      throw .system("open", shown)
    }
    return Descriptor(number: entry)
  }

  func status(shown: String) throws(ProvenanceFault) -> stat {
    var status = stat()
    guard unsafe fstat(number, &status) == 0 else { throw .system("look at", shown) }
    return status
  }

  /// The whole content, at most `bytesMax`.
  func readAll(bytesMax: Int, shown: String) throws(ProvenanceFault) -> [UInt8] {
    let expected = Int(try status(shown: shown).st_size)
    guard expected <= bytesMax else { throw .tooLarge(shown, bytesMax) }
    var content: [UInt8] = []
    var isAtEnd = false
    // One byte of room beyond the expected size, so that a file that does not grow is read in one piece and one look.
    while !isAtEnd {
      guard content.count <= bytesMax else { throw .tooLarge(shown, bytesMax) }
      let room = max(expected + 1 - content.count, 4096)
      var failure: ProvenanceFault?
      let piece = unsafe [UInt8](unsafeUninitializedCapacity: room) { buffer, count in
        var got = unsafe read(number, buffer.baseAddress!, room)
        while got < 0 && errno == EINTR { got = unsafe read(number, buffer.baseAddress!, room) }
        if got < 0 { failure = .system("read", shown) }
        count = max(got, 0)
      }
      if let failure { throw failure }
      isAtEnd = piece.isEmpty
      if content.isEmpty { content = piece } else { content += piece }
    }
    return content
  }

  func writeAll(_ content: [UInt8], shown: String) throws(ProvenanceFault) {
    var done = 0
    while done < content.count {
      let wrote = unsafe content.withUnsafeBytes { unsafe write(number, $0.baseAddress! + done, content.count - done) }
      if wrote < 0 && errno == EINTR { continue }
      guard wrote > 0 else { throw .system("write", shown) }
      done += wrote
    }
  }

  func sync(shown: String) throws(ProvenanceFault) {
    guard fsync(number) == 0 else { throw .system("flush", shown) }
  }

  /// Names in this directory in byte order, without `.` and `..`; at most `max`.
  func names(max: Int, shown: String) throws(ProvenanceFault) -> [String] {
    // The stream takes its descriptor over and closes it, hence one of its own.
    let own = unsafe openat(number, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard own >= 0 else { throw .system("open directory", shown) }
    guard let stream = unsafe fdopendir(own) else {
      _ = close(own)
      throw .system("open directory", shown)
    }
    defer { unsafe closedir(stream) }
    var names: [String] = []
    while true {
      errno = 0
      guard let entry = unsafe readdir(stream) else { break }
      let offset = MemoryLayout<dirent>.offset(of: \.d_name)!
      let bytes = unsafe (UnsafeRawPointer(entry) + offset).assumingMemoryBound(to: CChar.self)
      guard let name = unsafe String(validatingCString: bytes) else {
        throw ProvenanceFault(
          .pathRefused, path: shown, "a file name in \(shown) is not UTF-8", remedy: "rename the file in plain ASCII")
      }
      if name == "." || name == ".." { continue }
      names.append(name)
      guard names.count <= max else {
        throw ProvenanceFault(
          .tooManyFiles, path: shown, "\(shown) holds more than \(max) entries", remedy: "keep only pack files there")
      }
    }
    guard errno == 0 else { throw .system("list", shown) }
    return names.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
  }
}

extension Descriptor {
  /// Writes `name` in this directory so that a crash leaves the old state or the new one, never half of it.
  ///
  /// The bytes go to a temporary file, are flushed, then get their name. With `replacing` false an existing file is
  /// never touched: the name is given by a hard link, which fails where a rename would overwrite.
  func place(
    _ name: String, _ content: [UInt8], mode: mode_t, replacing: Bool, shown: String
  ) throws(ProvenanceFault) {
    let temporary = ".\(name).\(getpid()).tmp"
    let number = unsafe openat(
      self.number, temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode & 0o600)
    guard number >= 0 else { throw .system("create", shown) }
    do throws(ProvenanceFault) {
      let file = Descriptor(number: number)
      // The umask must not decide who reads a key.
      guard fchmod(number, mode) == 0 else { throw .system("set the mode of", shown) }
      try file.writeAll(content, shown: shown)
      try file.sync(shown: shown)
      let isNamed =
        if replacing {
          unsafe renameat(self.number, temporary, self.number, name) == 0
        } else {
          unsafe linkat(self.number, temporary, self.number, name, 0) == 0
        }
      if !isNamed {
        if errno == EEXIST { throw .keyExists(shown) }
        throw .system("name", shown)
      }
    } catch {
      _ = unsafe unlinkat(self.number, temporary, 0)
      throw error
    }
    if !replacing { _ = unsafe unlinkat(self.number, temporary, 0) }
    try sync(shown: shown)
  }

  func remove(_ name: String) {
    _ = unsafe unlinkat(number, name, 0)
  }

  /// Whether anything of this name is in the directory, a dangling link included.
  func holds(_ name: String) -> Bool {
    unsafe faccessat(number, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0 || errno != ENOENT
  }
}

extension ProvenanceFault {
  /// The last failed system call, from `errno`.
  static func system(_ verb: String, _ path: String) -> ProvenanceFault {
    let reason = errno
    let text = unsafe String(cString: strerror(reason))
    let remedy =
      switch reason {
      case ENOENT: "check the path"
      case EACCES, EPERM: "run as the user who owns it, or change its permissions"
      case ENOSPC, EDQUOT: "free disk space"
      case EEXIST: "delete the temporary file that an interrupted run left there"
      default: "check the disk and the path"
      }
    return ProvenanceFault(.io, path: path, "cannot \(verb) \(path): \(text)", remedy: remedy)
  }

  static func tooLarge(_ path: String, _ bytesMax: Int) -> ProvenanceFault {
    ProvenanceFault(
      .fileTooLarge, path: path, "\(path) has more than \(bytesMax) bytes", remedy: "remove it, or split it")
  }

  static func keyExists(_ path: String) -> ProvenanceFault {
    ProvenanceFault(
      .keyExists, path: path, "\(path) exists already, and keys are never overwritten",
      remedy: "use another directory, or move the old keys away")
  }
}
