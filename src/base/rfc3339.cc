#include "base/rfc3339.h"

#include <chrono>

namespace spillway {
namespace {

void put(char* at, int digits, std::int64_t value) {
  for (int i = digits - 1; i >= 0; --i, value /= 10) at[i] = static_cast<char>('0' + value % 10);
}

/// Takes `digits` digits from the front of `text`, or -1.
int take_digits(std::string_view& text, std::size_t digits) {
  if (text.size() < digits) return -1;
  int value = 0;
  for (std::size_t i = 0; i < digits; ++i) {
    if (text[i] < '0' || text[i] > '9') return -1;
    value = value * 10 + (text[i] - '0');
  }
  text.remove_prefix(digits);
  return value;
}

bool take_char(std::string_view& text, char c) {
  if (text.empty() || text.front() != c) return false;
  text.remove_prefix(1);
  return true;
}

}  // namespace

void append_time(std::string& out, Timestamp t) {
  using namespace std::chrono;
  const sys_time<microseconds> point{microseconds(t.us)};
  const auto day = floor<days>(point);
  const year_month_day date(day);
  const std::int64_t of_day = (point - day).count();
  char text[] = "0000-00-00T00:00:00.000000Z";
  put(text, 4, static_cast<int>(date.year()));
  put(text + 5, 2, static_cast<unsigned>(date.month()));
  put(text + 8, 2, static_cast<unsigned>(date.day()));
  put(text + 11, 2, of_day / (3600 * kSecond));
  put(text + 14, 2, of_day / (60 * kSecond) % 60);
  put(text + 17, 2, of_day / kSecond % 60);
  put(text + 20, 6, of_day % kSecond);
  out.append(text, sizeof text - 1);
}

std::string format_time(Timestamp t) {
  std::string out;
  append_time(out, t);
  return out;
}

std::optional<Timestamp> parse_time(std::string_view text) {
  using namespace std::chrono;
  const int year_value = take_digits(text, 4);
  if (year_value < 1971 || !take_char(text, '-')) return std::nullopt;
  const int month_value = take_digits(text, 2);
  if (month_value < 0 || !take_char(text, '-')) return std::nullopt;
  const int day_value = take_digits(text, 2);
  if (day_value < 0 || !(take_char(text, 'T') || take_char(text, 't'))) return std::nullopt;
  const int hour = take_digits(text, 2);
  if (hour < 0 || hour > 23 || !take_char(text, ':')) return std::nullopt;
  const int minute = take_digits(text, 2);
  if (minute < 0 || minute > 59 || !take_char(text, ':')) return std::nullopt;
  const int second = take_digits(text, 2);
  if (second < 0 || second > 59) return std::nullopt;

  Micros fraction = 0;
  if (take_char(text, '.')) {
    Micros unit = kSecond;
    int digits = 0;
    for (; !text.empty() && text.front() >= '0' && text.front() <= '9'; ++digits) {
      unit /= 10;
      fraction += unit * (text.front() - '0');
      text.remove_prefix(1);
    }
    if (digits == 0 || digits > 9) return std::nullopt;
  }

  Micros offset = 0;
  if (!take_char(text, 'Z') && !take_char(text, 'z')) {
    const bool ahead = take_char(text, '+');
    if (!ahead && !take_char(text, '-')) return std::nullopt;
    const int hours = take_digits(text, 2);
    if (hours < 0 || hours > 23 || !take_char(text, ':')) return std::nullopt;
    const int minutes = take_digits(text, 2);
    if (minutes < 0 || minutes > 59) return std::nullopt;
    offset = (ahead ? 1 : -1) * (hours * 3600LL + minutes * 60LL) * kSecond;
  }
  if (!text.empty()) return std::nullopt;

  const year_month_day date{year(year_value), month(static_cast<unsigned>(month_value)),
                            day(static_cast<unsigned>(day_value))};
  if (!date.ok()) return std::nullopt;
  const Micros day_us = duration_cast<microseconds>(sys_days(date).time_since_epoch()).count();
  return Timestamp{day_us + (hour * 3600LL + minute * 60LL + second) * kSecond + fraction - offset};
}

}  // namespace spillway
