/// What each code means, for whoever meets it without a network. One entry a code, sorted by code.
enum ErrorGuide {
  struct Entry: Codable, Equatable, Sendable {
    var code: String
    var meaning: String
    var remedy: String

    init(_ code: String, _ meaning: String, _ remedy: String) {
      (self.code, self.meaning, self.remedy) = (code, meaning, remedy)
    }
  }

  static func entry(_ code: String) -> Entry? { entries.first { $0.code == code } }

  static let entries: [Entry] = (socket + requests + commandLine + site + record + fleet + whatIf)
    .sorted { $0.code < $1.code }

  private static let socket: [Entry] = [
    Entry(
      "api.crashed",
      "The socket is there, but no process listens on it, or it hung up: the daemon ended without cleaning up.",
      "Read why: journalctl -u twind -n 50. Then: systemctl restart twind."),
    Entry(
      "api.not_running",
      "There is no socket at the expected path: the daemon does not run on this machine, or uses another path.",
      "systemctl start twind, or name the socket with --socket or TWIND_SOCKET."),
    Entry(
      "api.socket", "A call of the operating system on the status socket failed.",
      "See that the socket's directory exists and belongs to the daemon's user, and that the disk is not full."),
    Entry(
      "api.socket_denied",
      "Your user may not open the socket. Reading needs its group; a login older than the membership lacks it.",
      "Ask for membership (usermod -aG), then log in again."),
    Entry(
      "api.socket_directory",
      "Others may write to the socket's directory, so somebody could put a socket of his own there.",
      "chmod 0750 the directory, or choose another one."),
    Entry(
      "api.socket_in_use", "Another daemon serves this socket, or holds its lock file.",
      "Stop the other one, or give this one its own --socket."),
    Entry(
      "api.socket_path",
      "The path cannot be a socket: not absolute, 108 bytes or longer, or a file of another kind is there.",
      "Choose a short absolute path that is free."),
    Entry(
      "api.unreachable", "The socket could not be used, for a reason that the operating system names.",
      "systemctl status twind."),
    Entry(
      "api.skew", "Client and daemon do not understand each other: different releases, or another program answers.",
      "Compare them: twinctl version."),
    Entry(
      "api.timeout", "The daemon did not answer in time. A write may or may not have been done.",
      "Look at twinctl status before you write again."),
    Entry(
      "api.busy", "All connections are in use, or the same write is still being done.", "Try again in a few seconds."),
    Entry("api.too_many_readers", "Too many readers watch events at once.", "End a forgotten twinctl watch."),
  ]

  private static let requests: [Entry] = [
    Entry(
      "api.body", "The JSON body lacks a field, or a field has another type.",
      "Compare it with the reference of twind/v1."),
    Entry(
      "api.browser",
      "The request looks as if a web page had sent it (Origin, Referer or a foreign Host); such are refused.",
      "Use twinctl, or curl --unix-socket with http://twind/."),
    Entry(
      "api.encoding", "An answer could not be written as JSON: a defect of the daemon.",
      "Report it with the output of twinctl version."),
    Entry(
      "api.idempotency_reused", "The same Idempotency-Key came with another body: nothing was changed.",
      "Use a new key for a new write."),
    Entry(
      "api.invalid", "A value in the request cannot be meant.",
      "Read the cause; it names the value and what was wanted."),
    Entry("api.malformed", "What came is no HTTP/1.1 request.", "Use twinctl or curl."),
    Entry("api.method", "The path exists, but not with this method.", "Use the method that the answer names."),
    Entry(
      "api.not_found", "No device, point, decision, envelope or alarm has this id.",
      "List them, or take the suggestion."),
    Entry(
      "api.not_permitted",
      "Writing needs root, the daemon's own user or the operators' group; your user is none of them.",
      "Ask the site's administrator for the group, then log in again."),
    Entry("api.path", "The daemon has nothing at this path.", "Begin at /v1/meta."),
    Entry("api.request_timeout", "A request was begun and not finished in time.", "Send it whole."),
    Entry(
      "api.too_large", "The head or the body of the request is larger than the daemon reads.", "Send less at once."),
  ]

  private static let commandLine: [Entry] = [
    Entry(
      "cli.not_confirmed", "A write was not confirmed: nothing was changed.",
      "Type the target's name, or pass --yes in a script."),
    Entry("cli.usage", "The command line is not understood.", "twinctl --help, or twinctl help VERB."),
  ]
}
