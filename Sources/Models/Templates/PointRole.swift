import TwinCore

/// What a point is to a model: the part that it plays in a balance.
public enum PointRole: String, Sendable, CaseIterable {
  case zoneTemperature = "zone_temperature"
  case supplyTemperature = "supply_temperature"
  case supplyTemperatureSetpoint = "supply_temperature_setpoint"
  case supplyFlow = "supply_flow"
  case supplyFlowSetpoint = "supply_flow_setpoint"
  case returnTemperature = "return_temperature"
  case mixedTemperature = "mixed_temperature"
  case heatingValve = "heating_valve"
  case coolingValve = "cooling_valve"
  case outdoorTemperature = "outdoor_temperature"
  case solar
  case occupancy
  case heatingPower = "heating_power"
  case coolingPower = "cooling_power"
  case running
  case electricPower = "electric_power"
  case chilledSupplyTemperature = "chilled_supply_temperature"
  case chilledReturnTemperature = "chilled_return_temperature"
  case chilledSetpoint = "chilled_setpoint"
  case hotSupplyTemperature = "hot_supply_temperature"
  case hotReturnTemperature = "hot_return_temperature"
  case hotSetpoint = "hot_setpoint"
  case condenserTemperature = "condenser_temperature"
  case sourceTemperature = "source_temperature"
  case waterFlow = "water_flow"
  case speed
  case differentialPressure = "differential_pressure"
  case tankTemperature = "tank_temperature"
  case tankTopTemperature = "tank_top_temperature"
  case tankBottomTemperature = "tank_bottom_temperature"
  case level
  case inflow
  case outflow
  case receiverPressure = "receiver_pressure"
  case load
  case charge
  case batteryPower = "battery_power"
  case batteryTemperature = "battery_temperature"
}

/// What kind of number a role takes, and the unit that the physics has it in.
public enum RoleQuantity: Sendable, Hashable {
  case temperature, flow, share, power, irradiance, pressure, level

  /// Of the physics. A flow may be of mass or of volume, a level a height or a share.
  var units: [UnitCode] { codes.compactMap { UnitCode(ucum: $0) } }

  private var codes: [String] {
    switch self {
    case .temperature: ["Cel"]
    case .flow: ["kg/s", "m3/s"]
    case .share: ["1"]
    case .power: ["W"]
    case .irradiance: ["W/m2"]
    case .pressure: ["Pa"]
    case .level: ["m", "1"]
    }
  }
}

extension PointRole {
  public var quantity: RoleQuantity {
    switch self {
    case .zoneTemperature, .supplyTemperature, .supplyTemperatureSetpoint, .returnTemperature, .mixedTemperature,
      .outdoorTemperature, .chilledSupplyTemperature, .chilledReturnTemperature, .chilledSetpoint,
      .hotSupplyTemperature, .hotReturnTemperature, .hotSetpoint, .condenserTemperature, .sourceTemperature,
      .tankTemperature, .tankTopTemperature, .tankBottomTemperature, .batteryTemperature:
      .temperature
    case .supplyFlow, .supplyFlowSetpoint, .waterFlow, .inflow, .outflow: .flow
    case .heatingValve, .coolingValve, .occupancy, .running, .speed, .load, .charge: .share
    case .heatingPower, .coolingPower, .electricPower, .batteryPower: .power
    case .solar: .irradiance
    case .differentialPressure, .receiverPressure: .pressure
    case .level: .level
    }
  }

  /// Set by twind or a person; a forecast holds it.
  var isCommand: Bool {
    switch self {
    case .supplyTemperatureSetpoint, .supplyFlowSetpoint, .chilledSetpoint, .hotSetpoint, .heatingValve, .coolingValve,
      .running, .speed, .load:
      true
    default: false
    }
  }

  /// One day is much like the one before: weather, people, and the loads that they make.
  var isDaily: Bool {
    switch self {
    case .outdoorTemperature, .solar, .occupancy, .coolingPower, .heatingPower, .outflow: true
    default: false
    }
  }

  /// True of the whole site, wherever its sensor hangs.
  var isWeather: Bool { self == .outdoorTemperature || self == .solar }
}

/// The words by which a role is known.
struct RoleWords {
  var role: PointRole
  /// Classes of the Brick schema (version 1.3, and the names of 1.4 where they changed).
  var brick: Set<String> = []
  /// A name has all words of one of these.
  var words: [Set<String>] = []
  /// And none of these.
  var without: Set<String> = []

  static let table: [RoleWords] = air + surroundings + water + machines

  private static let air: [RoleWords] = [
    RoleWords(
      role: .zoneTemperature,
      brick: ["Zone_Air_Temperature_Sensor", "Room_Air_Temperature_Sensor", "Average_Zone_Air_Temperature_Sensor"],
      words: [["zone"]], without: ["setpoint", "supply", "outdoor", "return", "dew", "wet", "water"]),
    RoleWords(
      role: .supplyTemperature,
      brick: [
        "Supply_Air_Temperature_Sensor", "Discharge_Air_Temperature_Sensor", "Leaving_Coil_Air_Temperature_Sensor",
      ],
      words: [["supply"]], without: ["setpoint", "water", "chilled", "hot", "condenser", "dew", "wet"]),
    RoleWords(
      role: .supplyTemperatureSetpoint,
      brick: [
        "Supply_Air_Temperature_Setpoint", "Discharge_Air_Temperature_Setpoint",
        "Effective_Supply_Air_Temperature_Setpoint", "Effective_Discharge_Air_Temperature_Setpoint",
      ],
      words: [["supply", "setpoint"]], without: ["water", "chilled", "hot", "condenser"]),
    RoleWords(
      role: .supplyFlow, brick: ["Supply_Air_Flow_Sensor", "Discharge_Air_Flow_Sensor"],
      words: [["supply", "flow"], ["air", "flow"], ["fan", "flow"]],
      without: ["setpoint", "water", "chilled", "hot", "outdoor", "return"]),
    RoleWords(
      role: .supplyFlowSetpoint, brick: ["Supply_Air_Flow_Setpoint", "Discharge_Air_Flow_Setpoint"],
      words: [["supply", "flow", "setpoint"], ["air", "flow", "setpoint"], ["fan", "flow", "setpoint"]],
      without: ["water", "chilled", "hot", "outdoor", "return"]),
    RoleWords(
      role: .returnTemperature, brick: ["Return_Air_Temperature_Sensor", "Exhaust_Air_Temperature_Sensor"],
      words: [["return"]], without: ["setpoint", "water", "chilled", "hot", "condenser"]),
    RoleWords(
      role: .mixedTemperature, brick: ["Mixed_Air_Temperature_Sensor"], words: [["mixed"]], without: ["setpoint"]),
    RoleWords(
      role: .heatingValve,
      brick: ["Heating_Command", "Hot_Water_Valve_Command", "Heating_Valve_Command", "Reheat_Command"],
      words: [["heating", "valve"], ["heating", "command"], ["hot", "valve"]]),
    RoleWords(
      role: .coolingValve,
      brick: ["Cooling_Command", "Chilled_Water_Valve_Command", "Cooling_Valve_Command"],
      words: [["cooling", "valve"], ["cooling", "command"], ["chilled", "valve"]]),
  ]

  private static let surroundings: [RoleWords] = [
    RoleWords(
      role: .outdoorTemperature, brick: ["Outside_Air_Temperature_Sensor", "Outdoor_Air_Temperature_Sensor"],
      words: [["outdoor"]], without: ["setpoint", "dew", "wet", "water"]),
    RoleWords(
      role: .solar, brick: ["Solar_Radiance_Sensor", "Solar_Irradiance_Sensor"], words: [["solar"]]),
    RoleWords(
      role: .occupancy, brick: ["Occupancy_Sensor", "Occupancy_Count_Sensor", "Occupancy_Status"],
      words: [["occupancy"]], without: ["setpoint", "command"]),
    RoleWords(
      role: .heatingPower, words: [["heating", "power"], ["heating", "load"], ["thermal", "power", "heating"]],
      without: ["setpoint", "electric"]),
    RoleWords(
      role: .coolingPower, words: [["cooling", "power"], ["cooling", "load"], ["thermal", "power", "cooling"]],
      without: ["setpoint", "electric"]),
    RoleWords(
      role: .running,
      brick: [
        "On_Off_Command", "Start_Stop_Command", "Enable_Command", "Run_Enable_Command", "On_Off_Status",
        "Start_Stop_Status", "Fan_On_Off_Status", "Fan_On_Off_Command", "Run_Status",
      ],
      words: [["on"], ["running"], ["enable"]], without: ["setpoint", "alarm", "hours", "occupancy"]),
    RoleWords(
      role: .electricPower,
      brick: ["Active_Power_Sensor", "Electric_Power_Sensor", "Electrical_Power_Sensor", "Power_Sensor"],
      words: [["power"], ["electric", "power"]],
      without: ["setpoint", "heating", "cooling", "thermal", "factor", "battery", "limit"]),
  ]

  private static let water: [RoleWords] = [
    RoleWords(
      role: .chilledSupplyTemperature,
      brick: ["Leaving_Chilled_Water_Temperature_Sensor", "Chilled_Water_Supply_Temperature_Sensor"],
      words: [["chilled", "supply"]], without: ["setpoint", "flow", "pressure", "valve"]),
    RoleWords(
      role: .chilledReturnTemperature,
      brick: ["Entering_Chilled_Water_Temperature_Sensor", "Chilled_Water_Return_Temperature_Sensor"],
      words: [["chilled", "return"]], without: ["setpoint", "flow", "pressure", "valve"]),
    RoleWords(
      role: .chilledSetpoint,
      brick: ["Leaving_Chilled_Water_Temperature_Setpoint", "Chilled_Water_Supply_Temperature_Setpoint"],
      words: [["chilled", "setpoint"], ["chilled", "supply", "setpoint"]], without: ["flow", "pressure", "return"]),
    RoleWords(
      role: .hotSupplyTemperature,
      brick: ["Leaving_Hot_Water_Temperature_Sensor", "Hot_Water_Supply_Temperature_Sensor"],
      words: [["hot", "supply"], ["hot", "water", "supply"]], without: ["setpoint", "flow", "pressure", "valve"]),
    RoleWords(
      role: .hotReturnTemperature,
      brick: ["Entering_Hot_Water_Temperature_Sensor", "Hot_Water_Return_Temperature_Sensor"],
      words: [["hot", "return"]], without: ["setpoint", "flow", "pressure", "valve"]),
    RoleWords(
      role: .hotSetpoint,
      brick: ["Leaving_Hot_Water_Temperature_Setpoint", "Hot_Water_Supply_Temperature_Setpoint"],
      words: [["hot", "setpoint"], ["hot", "supply", "setpoint"]], without: ["flow", "pressure", "return"]),
    RoleWords(
      role: .condenserTemperature,
      brick: ["Entering_Condenser_Water_Temperature_Sensor", "Condenser_Water_Supply_Temperature_Sensor"],
      words: [["condenser", "return"], ["condenser", "in"]], without: ["setpoint", "flow", "pressure"]),
    RoleWords(role: .sourceTemperature, words: [["source"], ["brine"]], without: ["setpoint", "flow", "pressure"]),
    RoleWords(
      role: .waterFlow,
      brick: [
        "Chilled_Water_Supply_Flow_Sensor", "Leaving_Chilled_Water_Flow_Sensor", "Chilled_Water_Flow_Sensor",
        "Hot_Water_Supply_Flow_Sensor", "Leaving_Hot_Water_Flow_Sensor", "Hot_Water_Flow_Sensor", "Water_Flow_Sensor",
      ],
      words: [["water", "flow"], ["chilled", "flow"], ["hot", "flow"], ["pump", "flow"]], without: ["setpoint", "air"]),
    RoleWords(
      role: .speed,
      brick: [
        "Speed_Setpoint", "Motor_Speed_Sensor", "Speed_Sensor", "Frequency_Command", "Fan_Speed_Command",
        "Pump_Speed_Command",
      ],
      words: [["speed"]], without: ["wind", "limit"]),
    RoleWords(
      role: .differentialPressure,
      brick: [
        "Differential_Pressure_Sensor", "Chilled_Water_Differential_Pressure_Sensor",
        "Hot_Water_Differential_Pressure_Sensor", "Water_Differential_Pressure_Sensor",
      ],
      words: [["differential", "pressure"]], without: ["setpoint", "filter"]),
  ]

  private static let machines: [RoleWords] = [
    RoleWords(
      role: .tankTemperature, words: [["tank"], ["buffer"]], without: ["setpoint", "top", "bottom", "supply", "return"]),
    RoleWords(role: .tankTopTemperature, words: [["tank", "top"], ["buffer", "top"]], without: ["setpoint"]),
    RoleWords(
      role: .tankBottomTemperature, words: [["tank", "bottom"], ["buffer", "bottom"]], without: ["setpoint"]),
    RoleWords(role: .level, brick: ["Water_Level_Sensor", "Level_Sensor"], words: [["level"]], without: ["setpoint"]),
    RoleWords(role: .inflow, words: [["inflow"], ["flow", "in"]], without: ["setpoint"]),
    RoleWords(role: .outflow, words: [["outflow"], ["flow", "out"], ["demand", "flow"]], without: ["setpoint"]),
    RoleWords(
      role: .receiverPressure, words: [["receiver", "pressure"], ["air", "pressure"], ["line", "pressure"]],
      without: ["setpoint", "differential", "static"]),
    RoleWords(role: .load, words: [["load"], ["loaded"]], without: ["setpoint", "heating", "cooling", "hours"]),
    RoleWords(role: .charge, words: [["soc"], ["charge", "state"]], without: ["setpoint", "limit"]),
    RoleWords(role: .batteryPower, words: [["battery", "power"]], without: ["setpoint", "limit"]),
    RoleWords(role: .batteryTemperature, words: [["battery"], ["cell"]], without: ["setpoint", "limit"]),
  ]

  /// Classes that say no more than that a point is one: the name decides.
  static let general: Set<String> = [
    "Point", "Sensor", "Setpoint", "Command", "Status", "Parameter", "Temperature_Sensor", "Temperature_Setpoint",
    "Air_Temperature_Sensor", "Air_Temperature_Setpoint", "Water_Temperature_Sensor", "Water_Temperature_Setpoint",
    "Flow_Sensor", "Flow_Setpoint", "Air_Flow_Sensor", "Air_Flow_Setpoint", "Thermal_Power_Sensor", "Pressure_Sensor",
    "Energy_Sensor", "Thermal_Energy_Sensor", "Position_Command", "Valve_Command", "Valve_Position_Command",
    "Load_Command", "Position_Sensor", "Electrical_Energy_Sensor",
  ]
}
