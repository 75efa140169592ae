#!/usr/bin/python3
"""Runs one file of unit tests: run_file.py FILE. Prints a line of JSON for each test when it has ended:
{"test": "Class.test_name", "seconds": 0.1, "failure": null or text}. A test has a minute; skipping is a failure.
SIGTERM ends the test that is under way and all others, but not what they tear down."""
import importlib, json, os, signal, sys, time, unittest

TEST_LIMIT_S = 60


def too_late(*_):
    raise TimeoutError(f"not done after {TEST_LIMIT_S} s")


def stop_at_sigterm(result):
    def on_sigterm(*_):
        result.stop()
        raise TimeoutError("told to end")
    signal.signal(signal.SIGTERM, on_sigterm)


class JsonResult(unittest.TestResult):
    def __init__(self):
        super().__init__()
        self.failure, self.started = None, time.time()

    def print(self, test, failure):
        name = test.id().removeprefix(type(test).__module__ + ".")
        print(json.dumps({"test": name, "seconds": round(time.time() - self.started, 3), "failure": failure}), flush=True)

    def startTest(self, test):
        super().startTest(test)
        self.failure, self.started = None, time.time()
        signal.alarm(TEST_LIMIT_S)

    def stopTest(self, test):
        signal.alarm(0)
        super().stopTest(test)
        self.print(test, self.failure)

    def fail(self, test, text):
        if isinstance(test, unittest.TestCase):
            self.failure = (self.failure or "") + text
        else:  # setUpClass and its like: no test of their own
            self.print(test, text)

    def addError(self, test, err):
        super().addError(test, err)
        self.fail(test, self.errors[-1][1])

    def addFailure(self, test, err):
        super().addFailure(test, err)
        self.fail(test, self.failures[-1][1])

    def addSubTest(self, test, subtest, err):
        super().addSubTest(test, subtest, err)
        if err:
            self.fail(test, f"{subtest}\n{self._exc_info_to_string(err, test)}")

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        self.fail(test, f"skipped: {reason}")

    def addExpectedFailure(self, test, err):
        super().addExpectedFailure(test, err)
        self.fail(test, "expected to fail: repair it or take it out")

    def addUnexpectedSuccess(self, test):
        super().addUnexpectedSuccess(test)
        self.fail(test, "did not fail, as expected of it")


def main(file):
    folder, name = os.path.split(os.path.realpath(file))
    sys.path.insert(0, folder)
    signal.signal(signal.SIGALRM, too_late)
    suite = unittest.defaultTestLoader.loadTestsFromModule(importlib.import_module(name.removesuffix(".py")))
    result = JsonResult()
    stop_at_sigterm(result)
    suite.run(result)
    sys.exit(1 if result.shouldStop else 0)


if __name__ == "__main__":
    main(sys.argv[1])
