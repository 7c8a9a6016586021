// Numbers as people read them. Stateless.
#pragma once

#include <cstddef>
#include <string>

namespace kvzip::cli {

/// 12345 -> "12,345".
std::string grouped(size_t number);
/// "1 token", "2,000 tokens".
std::string counted(size_t number, const std::string& unit);
/// "340 µs", "48 ms", "2.10 s", "3 min 20 s".
std::string format_seconds(double seconds);
/// "1,834/s", "87.3/s".
std::string format_rate(double per_second);
/// Work, such as bytes or tokens, per second of what took `seconds`; 0 where that is none.
inline double rate(double work, double seconds) { return seconds > 0 ? work / seconds : 0; }
/// 0.3 -> "30 %", 0.2957 -> "29.6 %".
std::string format_percent(double fraction);

}  // namespace kvzip::cli
