#pragma once

#include "contract/engine_under_test.h"
#include "waitroom/service.h"

namespace spillway::waitroom::contract {

using EngineUnderTest = spillway::contract::EngineUnderTest<Service>;
using EngineKind = spillway::contract::EngineKind<Service>;
using spillway::contract::ask;

std::unique_ptr<EngineUnderTest> make_embedded();

}  // namespace spillway::waitroom::contract
