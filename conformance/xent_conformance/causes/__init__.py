"""What a failing problem needs in order to fail: facts about problems, and variants without each of them."""
