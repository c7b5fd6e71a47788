#pragma once

#include <cstddef>
#include <cstdint>

namespace spillway::load::limits {

// Every bound of a plan. One past it is an error that names the key.
inline constexpr std::size_t kMaxPlanBytes = 1024 * 1024;
inline constexpr std::size_t kMaxKeyDots = 16;
inline constexpr int kMaxNesting = 16;            ///< tables and arrays in one another
inline constexpr std::size_t kMaxNameBytes = 64;  ///< of a plan, a scenario, a journey, a tag, a setting
inline constexpr std::size_t kMaxTitleBytes = 256;
inline constexpr std::size_t kMaxTextBytes = 4'096;      ///< a description, a tag's or a setting's value
inline constexpr std::size_t kMaxExpressionBytes = 256;  ///< of a threshold; also its metric with the tags

inline constexpr std::size_t kMaxBaseUrls = 64;
inline constexpr std::size_t kMaxScenarios = 64;
inline constexpr std::size_t kMaxStages = 1'000;  ///< of one scenario
inline constexpr std::size_t kMaxTags = 16;       ///< of one scenario
inline constexpr std::size_t kMaxSettings = 64;
inline constexpr std::size_t kMaxThresholds = 256;
inline constexpr std::size_t kMaxInvariants = 64;
inline constexpr std::size_t kMaxFaults = 64;
inline constexpr std::size_t kMaxKneeRuns = 100;
inline constexpr std::size_t kMaxChanges = 1'000;  ///< --set on one command line

inline constexpr std::uint64_t kMaxVus = 1'000'000;  ///< of all scenarios that may be there at once
inline constexpr std::uint64_t kMaxIterations = 1'000'000'000'000;
inline constexpr double kMaxRate = 10'000'000;  ///< iterations a second
inline constexpr double kMaxTimeUnitSeconds = 24 * 3600.0;
inline constexpr double kMaxPlanSeconds = 7 * 24 * 3600.0;
inline constexpr double kMaxTimeoutSeconds = 3600;
inline constexpr double kMaxKneeFactor = 100;
inline constexpr double kMaxTimeScale = 1'000;
inline constexpr std::uint32_t kMaxSourceAddresses = 250;  ///< 127.0.1.1 to 127.0.1.250
inline constexpr double kMaxFaultNumber = 1e9;

}  // namespace spillway::load::limits
