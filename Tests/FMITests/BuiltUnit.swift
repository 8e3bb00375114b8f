import Glibc

/// A co-simulation unit that is compiled here from a few lines of C: x moves towards u with the time constant tau, by
/// Euler's rule in a hundred pieces a step. Above 1e6 of u a step fails, below −1e6 the unit asks for the end.
enum BuiltUnit {
  static let hasCompiler = shell("gcc --version >/dev/null 2>&1") == 0

  static func shell(_ command: String) -> Int32 { unsafe system(command) }

  /// A folder of its own, removed by `body`'s end.
  static func with<Result>(version: Int, source: String? = nil, _ body: (String) throws -> Result) throws -> Result {
    var template = Array("/tmp/fmi-test-XXXXXX".utf8CString)
    guard unsafe mkdtemp(&template) != nil else { throw Failure("no folder") }
    let folder = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    defer { _ = shell("rm -r \(folder)") }
    let platform = version == 2 ? "linux64" : "x86_64-linux"
    let binaries = "\(folder)/binaries/\(platform)"
    guard shell("mkdir -p \(binaries) \(folder)/resources") == 0 else { throw Failure("no folder") }
    try write(version == 2 ? description2 : description3, to: "\(folder)/modelDescription.xml")
    try write(source ?? (version == 2 ? source2 : source3), to: "\(folder)/unit.c")
    guard shell("gcc -shared -fPIC -O1 -o \(binaries)/lag.so \(folder)/unit.c") == 0 else { throw Failure("gcc") }
    return try body(folder)
  }

  struct Failure: Error {
    var what: String
    init(_ what: String) { self.what = what }
  }

  static func write(_ text: String, to path: String) throws {
    guard let file = unsafe fopen(path, "w") else { throw Failure(path) }
    unsafe fputs(text, file)
    unsafe fclose(file)
  }

  /// What the unit should show under these inputs.
  static func expected(_ inputs: [Double], step: Double, tau: Double = 600, start: Double = 20) -> [Double] {
    var (x, path) = (start, [Double]())
    for u in inputs {
      path.append(x)
      for _ in 0..<100 { x += step / 100 * (u - x) / tau }
    }
    return path
  }

  static let description2 = """
    <?xml version="1.0" encoding="UTF-8"?>
    <!-- written by hand -->
    <fmiModelDescription fmiVersion="2.0" modelName="Lag &amp; room" guid="{token}">
      <CoSimulation modelIdentifier="lag" canHandleVariableCommunicationStepSize="true"/>
      <UnitDefinitions><Unit name="degC"/></UnitDefinitions>
      <DefaultExperiment startTime="0" stopTime="3600" stepSize="60"/>
      <ModelVariables>
        <ScalarVariable name="u" valueReference="0" causality="input"><Real start="20" unit="degC"/></ScalarVariable>
        <ScalarVariable name="x" valueReference="1" causality="output"><Real unit="degC"/></ScalarVariable>
        <ScalarVariable name="tau" valueReference="2" causality="parameter"><Real start="600"/></ScalarVariable>
        <ScalarVariable name="count" valueReference="3" causality="output"><Integer/></ScalarVariable>
      </ModelVariables>
      <ModelStructure><Outputs><Unknown index="2"/></Outputs></ModelStructure>
    </fmiModelDescription>
    """

  static let description3 = """
    <?xml version="1.0" encoding="UTF-8"?>
    <fmiModelDescription fmiVersion="3.0" modelName="Lag &amp; room" instantiationToken="{token}">
      <CoSimulation modelIdentifier="lag"/>
      <DefaultExperiment stepSize="60"/>
      <ModelVariables>
        <Float64 name="u" valueReference="0" causality="input" start="20" unit="degC"/>
        <Float64 name="x" valueReference="1" causality="output" unit="degC"/>
        <Float64 name="tau" valueReference="2" causality="parameter" start="600"/>
        <Int32 name="count" valueReference="3" causality="output"/>
        <Float64 name="field" valueReference="4" causality="output"><Dimension start="3"/></Float64>
      </ModelVariables>
      <ModelStructure><Output valueReference="1"/></ModelStructure>
    </fmiModelDescription>
    """

  private static let core = """
    #include <stdbool.h>
    #include <stddef.h>
    #include <stdint.h>
    #include <stdlib.h>
    #include <string.h>
    typedef struct { double u, x, tau, now; void *environment; const void *calls; const char *name; bool over; } Lag;
    static int put(Lag *lag, const uint32_t *r, size_t n, const double *v) {
      for (size_t i = 0; i < n; i++) {
        if (r[i] == 0) lag->u = v[i]; else if (r[i] == 2) lag->tau = v[i]; else return 3;
      }
      return 0;
    }
    static int see(Lag *lag, const uint32_t *r, size_t n, double *v) {
      for (size_t i = 0; i < n; i++) v[i] = r[i] == 0 ? lag->u : r[i] == 1 ? lag->x : lag->tau;
      return 0;
    }
    static void go(Lag *lag, double step) {
      for (int i = 0; i < 100; i++) lag->x += step / 100 * (lag->u - lag->x) / lag->tau;
    }
    static Lag *made(void) {
      Lag *lag = calloc(1, sizeof *lag);
      lag->u = 20; lag->x = 20; lag->tau = 600;
      return lag;
    }

    """

  static let source2 =
    core + """
      typedef struct {
        void (*log)(void *, const char *, int, const char *, const char *, ...);
        void *(*allocate)(size_t, size_t); void (*release)(void *); void (*done)(void *, int); void *environment;
      } Calls;
      void *fmi2Instantiate(const char *name, int type, const char *guid, const char *resources, const Calls *calls,
                            int visible, int logging) {
        if (type != 1 || strcmp(guid, "{token}") || strncmp(resources, "file:///", 8)) {
          calls->log(calls->environment, name, 3, "error", "%s is not mine (%d)", guid, type);
          return NULL;
        }
        Lag *lag = made();
        lag->calls = calls;
        return lag;
      }
      int fmi2SetupExperiment(Lag *lag, int t, double tolerance, double start, int s, double stop) {
        lag->now = start;
        return t || !s ? 3 : 0;
      }
      int fmi2EnterInitializationMode(Lag *lag) { return 0; }
      int fmi2ExitInitializationMode(Lag *lag) { return 0; }
      int fmi2SetReal(Lag *lag, const uint32_t *r, size_t n, const double *v) { return put(lag, r, n, v); }
      int fmi2GetReal(Lag *lag, const uint32_t *r, size_t n, double *v) { return see(lag, r, n, v); }
      int fmi2DoStep(Lag *lag, double now, double step, int last) {
        const Calls *calls = lag->calls;
        if (lag->u > 1e6) {
          calls->log(calls->environment, "lag", 3, "error", "u of %g is too much", lag->u);
          return 3;
        }
        lag->over = lag->u < -1e6;
        if (lag->over) return 2;
        go(lag, step);
        return 0;
      }
      int fmi2GetBooleanStatus(Lag *lag, int kind, int *value) { *value = kind == 3 && lag->over; return 0; }
      int fmi2Terminate(Lag *lag) { return 0; }
      void fmi2FreeInstance(Lag *lag) { free(lag); }

      """

  static let source3 =
    core + """
      typedef void (*Log)(void *, int, const char *, const char *);
      void *fmi3InstantiateCoSimulation(const char *name, const char *token, const char *resources, bool visible,
          bool logging, bool events, bool early, const uint32_t *required, size_t n, void *environment, Log log,
          void *update) {
        size_t length = resources ? strlen(resources) : 0;
        if (strcmp(token, "{token}") || length == 0 || resources[length - 1] != '/') {
          log(environment, 3, "error", "the token is not mine");
          return NULL;
        }
        Lag *lag = made();
        lag->environment = environment;
        lag->calls = (const void *)log;
        return lag;
      }
      int fmi3EnterInitializationMode(Lag *lag, bool t, double tolerance, double start, bool s, double stop) {
        return t || !s ? 3 : 0;
      }
      int fmi3ExitInitializationMode(Lag *lag) { return 0; }
      int fmi3SetFloat64(Lag *lag, const uint32_t *r, size_t n, const double *v, size_t m) {
        return n == m ? put(lag, r, n, v) : 3;
      }
      int fmi3GetFloat64(Lag *lag, const uint32_t *r, size_t n, double *v, size_t m) {
        return n == m ? see(lag, r, n, v) : 3;
      }
      int fmi3DoStep(Lag *lag, double now, double step, bool last, bool *event, bool *over, bool *early,
                     double *reached) {
        if (lag->u > 1e6) {
          ((Log)lag->calls)(lag->environment, 3, "error", "u is too much");
          return 3;
        }
        *over = lag->u < -1e6;
        if (*over) { *early = true; *reached = now; return 0; }
        go(lag, step);
        *reached = now + step;
        return 0;
      }
      int fmi3Terminate(Lag *lag) { return 0; }
      void fmi3FreeInstance(Lag *lag) { free(lag); }

      """
}
