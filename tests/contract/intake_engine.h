#pragma once

#include "contract/engine_under_test.h"
#include "intake/service.h"

namespace spillway::intake::contract {

using EngineUnderTest = spillway::contract::EngineUnderTest<Service>;
using EngineKind = spillway::contract::EngineKind<Service>;
using spillway::contract::ask;

std::unique_ptr<EngineUnderTest> make_embedded();

}  // namespace spillway::intake::contract
