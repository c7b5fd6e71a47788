#pragma once

namespace spillway::cli {

// What `spillway admin` ends with. Scripts rely on these.
inline constexpr int kExitGood = 0;
inline constexpr int kExitRefused = 1;  ///< the server said no, or what was waited for did not come about
inline constexpr int kExitUsage = 2;    ///< wrong usage; the server was not asked to change anything
inline constexpr int kExitNotReachable = 3;  ///< no answer, or none of Spillway
inline constexpr int kExitNotAllowed = 4;    ///< no good token, or one without the role

}  // namespace spillway::cli
