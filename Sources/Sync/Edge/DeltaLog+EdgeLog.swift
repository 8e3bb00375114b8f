public import DeltaLog

extension DeltaLog: EdgeLog {}
