// SPDX-License-Identifier: Apache-2.0
#include "soak/report.h"

#include <algorithm>
#include <cstdio>

namespace soak {

namespace {

// The daemon returns memory when it needs less. 100,000 connections leave 9 MiB behind at the end;
// a leak of 100 bytes for each would add 10 MiB.
constexpr double kLeftBehind = 16.0 * 1024 * 1024;
constexpr double kGrowthFactor = 1.25;  // between the peaks of the two halves
constexpr double kGrowthBytes = 2.0 * 1024 * 1024;
constexpr double kMiB = 1024.0 * 1024;
constexpr double kLongEnough = 300;  // seconds until memory is stable
// The peak of 2,000 connections was never above 125 MiB. A leak of 16 KiB for each connection that
// comes would exceed this limit.
constexpr double kMostResident = 192 * kMiB;
// The share of the connections that must be open at the same time at least once: some are always
// being replaced.
constexpr double kOpenAtLeast = 0.95;

class Assertions {
 public:
  void Check(const std::string& what, bool holds) {
    std::printf("%s: %s\n", holds ? "pass" : "FAIL", what.c_str());
    ++(holds ? passed_ : failed_);
  }
  bool Finish() const {
    std::printf("%d passed, %d failed, 0 skipped\n", passed_, failed_);
    return failed_ == 0;
  }

 private:
  int passed_ = 0;
  int failed_ = 0;
};

uint64_t Calls(const Board& board, size_t kind, Outcome outcome) {
  uint64_t sum = 0;
  for (const UserBoard& user : board.users) sum += user.calls[kind][static_cast<size_t>(outcome)];
  return sum;
}

uint64_t Calls(const Board& board, Outcome outcome) {
  uint64_t sum = 0;
  for (size_t kind = 0; kind < kKinds; ++kind) sum += Calls(board, kind, outcome);
  return sum;
}

uint64_t Sum(const Board& board, std::atomic<uint64_t> UserBoard::*what) {
  uint64_t sum = 0;
  for (const UserBoard& user : board.users) sum += user.*what;
  return sum;
}

void PrintCalls(const Board& board) {
  std::printf("%-8s", "calls");
  for (const char* name : kOutcomeNames) std::printf(" %11s", name);
  std::printf("\n");
  for (size_t kind = 0; kind < kKinds; ++kind) {
    std::printf("%-8s", std::string(Method(static_cast<Kind>(kind))).c_str());
    for (size_t i = 0; i < kOutcomes; ++i) {
      std::printf(" %11llu",
                  static_cast<unsigned long long>(Calls(board, kind, static_cast<Outcome>(i))));
    }
    std::printf("\n");
  }
}

// The greatest value, and the slope by least squares in bytes a second.
struct Course {
  double greatest = 0;
  double slope = 0;
};
Course CourseOf(const std::vector<TimedSample>& samples, size_t begin, size_t end) {
  Course course;
  double n = 0, x = 0, y = 0, xx = 0, xy = 0;
  for (size_t i = begin; i < end; ++i) {
    const double at = samples[i].seconds;
    const auto bytes = static_cast<double>(samples[i].sample.resident);
    course.greatest = std::max(course.greatest, bytes);
    n += 1, x += at, y += bytes, xx += at * at, xy += at * bytes;
  }
  const double spread = n * xx - x * x;
  if (spread > 0) course.slope = (n * xy - x * y) / spread;
  return course;
}

void PrintSamples(const std::vector<TimedSample>& samples) {
  constexpr size_t kRows = 12;
  std::printf("\n%8s %12s %12s %12s %8s\n", "seconds", "connections", "RSS MiB", "descriptors",
              "CPU s");
  const size_t step = std::max<size_t>(1, samples.size() / kRows);
  for (size_t i = 0; i < samples.size(); i += step) {
    const TimedSample& s = samples[i];
    std::printf("%8.1f %12llu %12.1f %12llu %8.1f\n", s.seconds,
                static_cast<unsigned long long>(s.open),
                static_cast<double>(s.sample.resident) / kMiB,
                static_cast<unsigned long long>(s.sample.descriptors), s.sample.cpu_seconds);
  }
  const size_t middle = samples.size() / 2;
  const Course first = CourseOf(samples, 0, middle);
  const Course second = CourseOf(samples, middle, samples.size());
  std::printf(
      "RSS, first half: at most %.1f MiB, %+.1f KiB/s; second half: at most %.1f MiB, %+.1f "
      "KiB/s\n",
      first.greatest / kMiB, first.slope / 1024, second.greatest / kMiB, second.slope / 1024);
}

void PrintEvents(const Board& board, const Findings& findings) {
  uint64_t cuts = 0;
  for (const BackendBoard& backend : board.backends) cuts += backend.cuts;
  std::printf(
      "\nconnections: %llu opened; %llu closed by us, %llu with their backend's, %llu as "
      "silent, %llu for no reason\n",
      static_cast<unsigned long long>(Sum(board, &UserBoard::opened)),
      static_cast<unsigned long long>(Sum(board, &UserBoard::closed_by_us)),
      static_cast<unsigned long long>(Sum(board, &UserBoard::cut)),
      static_cast<unsigned long long>(Sum(board, &UserBoard::closed_as_silent)),
      static_cast<unsigned long long>(Sum(board, &UserBoard::closed_unexplained)));
  std::printf(
      "backends: %llu killed, %llu connections cut; SIGHUP: %llu good files, %llu bad; "
      "%llu changes of policy seen\n",
      static_cast<unsigned long long>(findings.kills), static_cast<unsigned long long>(cuts),
      static_cast<unsigned long long>(findings.good_reloads),
      static_cast<unsigned long long>(findings.bad_reloads),
      static_cast<unsigned long long>(Sum(board, &UserBoard::reloads_seen)));
  std::printf(
      "daemon: descriptors %llu before, %llu after; RSS %.1f MiB before, %.1f MiB after; "
      "%.1f s of CPU\n\n",
      static_cast<unsigned long long>(findings.at_start.descriptors),
      static_cast<unsigned long long>(findings.at_end.descriptors),
      static_cast<double>(findings.at_start.resident) / kMiB,
      static_cast<double>(findings.at_end.resident) / kMiB, findings.at_end.cpu_seconds);
}

// A kind of outcome that never happened would not be tested.
bool AllKindsSeen(const Board& board) {
  bool all = Calls(board, static_cast<size_t>(Kind::kFailing), Outcome::kStatus) > 0 &&
             Calls(board, Outcome::kDeadline) > 0 && Calls(board, Outcome::kCancelled) > 0 &&
             Calls(board, Outcome::kUnavailable) > 0 && Calls(board, Outcome::kExhausted) > 0 &&
             Calls(board, Outcome::kCut) > 0;
  for (const Kind kind : {Kind::kSmall, Kind::kLarge, Kind::kLate, Kind::kClientStream,
                          Kind::kServerStream, Kind::kBidirectional, Kind::kProbe}) {
    all = all && Calls(board, static_cast<size_t>(kind), Outcome::kOk) > 0;
  }
  return all;
}

// In a short time memory is not stable yet, so its growth does not show a leak.
void CheckMemoryOfShort(const Findings& findings, Assertions* assertions) {
  uint64_t most = 0;
  for (const TimedSample& sample : findings.samples)
    most = std::max<uint64_t>(most, sample.sample.resident);
  char number[32];
  (void)std::snprintf(number, sizeof(number), ": %.1f MiB", static_cast<double>(most) / kMiB);
  assertions->Check(std::string("resident memory stays within bounds") + number,
                    most > 0 && static_cast<double>(most) <= kMostResident);
}

void CheckMemory(const Findings& findings, Assertions* assertions) {
  if (findings.samples.empty() || findings.samples.back().seconds < kLongEnough)
    return CheckMemoryOfShort(findings, assertions);
  const size_t middle = findings.samples.size() / 2;
  const double first = CourseOf(findings.samples, 0, middle).greatest;
  const double second = CourseOf(findings.samples, middle, findings.samples.size()).greatest;
  char numbers[64];
  (void)std::snprintf(numbers, sizeof(numbers), ": %.1f MiB, then %.1f MiB", first / kMiB,
                      second / kMiB);
  assertions->Check(std::string("the second half takes no more memory than the first") + numbers,
                    first > 0 && second <= first * kGrowthFactor + kGrowthBytes);
  const auto left = static_cast<double>(findings.at_end.resident) -
                    static_cast<double>(findings.at_start.resident);
  (void)std::snprintf(numbers, sizeof(numbers), ": %.1f MiB more than at the start", left / kMiB);
  assertions->Check(std::string("memory goes back in the end") + numbers,
                    findings.at_end.resident > 0 && left <= kLeftBehind);
}

void CheckReloads(const Board& board, const Findings& findings, Assertions* assertions) {
  const std::string what = "every other good file changes the policy";
  // The prober may miss a change, and then see two as one.
  const uint64_t seen = Sum(board, &UserBoard::reloads_seen);
  assertions->Check(what, findings.good_reloads > 0 && seen >= findings.good_reloads / 2 &&
                              seen <= findings.good_reloads);
}

}  // namespace

bool Report(const Board& board, const Findings& findings) {
  PrintCalls(board);
  PrintSamples(findings.samples);
  PrintEvents(board, findings);
  uint64_t mangled = 0;
  for (const BackendBoard& backend : board.backends) mangled += backend.mangled;
  uint64_t most = 0;
  for (const TimedSample& sample : findings.samples) most = std::max(most, sample.open);

  Assertions assertions;
  const auto count = [](uint64_t n) { return ": " + std::to_string(n); };
  const uint64_t wrong = Calls(board, Outcome::kWrong);
  const uint64_t lost = Calls(board, Outcome::kLost);
  const uint64_t closed = Sum(board, &UserBoard::closed_unexplained);
  assertions.Check("wrong replies" + count(wrong), wrong == 0);
  assertions.Check("requests that a backend did not get as sent" + count(mangled), mangled == 0);
  assertions.Check("lost calls" + count(lost), lost == 0);
  assertions.Check("connections closed for no reason" + count(closed), closed == 0);
  assertions.Check("all kinds of calls and of ends were seen", AllKindsSeen(board));
  assertions.Check(
      "connections at once" + count(most),
      static_cast<double>(most) >= kOpenAtLeast * static_cast<double>(findings.connections));
  if (findings.check_memory) CheckMemory(findings, &assertions);
  assertions.Check("descriptors are back to the start",
                   findings.at_end.descriptors == findings.at_start.descriptors &&
                       findings.at_start.descriptors > 0);
  CheckReloads(board, findings, &assertions);
  assertions.Check("clients and backends ran to their end",
                   findings.clients_failed == 0 && findings.backends_failed == 0);
  assertions.Check("nothing of a sanitizer in the daemon's log", findings.sanitizer_lines == 0);
  assertions.Check(
      "the daemon's exit status after SIGTERM: " +
          (findings.exit_status ? std::to_string(*findings.exit_status) : std::string("none")),
      findings.exit_status == 0);
  return assertions.Finish();
}

}  // namespace soak
